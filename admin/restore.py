"""`python -m admin.restore CHAIN REASON`: declare that a chain was restored from a backup (docs/operations.md)."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing

from eventlog.errors import InputError, NotFoundError
from eventlog.settings import ConfigurationError
from eventlog.store.errors import StoreError
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.database import open_database
from local.machine import LocalError
from local.main import LocalSettings
from local.signing import open_evidence

USAGE = 'usage: make restore CHAIN=main REASON="restored the backup of 3 May after a disk failure"'


def run(chain: str, reason: str) -> int:
    """Declares it on the database of the settings, which the embedded MongoDB serves meanwhile; the exit code."""
    given = LocalSettings().mongo_uri
    with open_database(given) as (uri, place):
        print(f"MongoDB at {place}")
        with closing(Connection(open_evidence(uri, embedded=given is None).settings)) as connection:
            report = AuditWiring(connection).restorer.restore(chain, reason)
    print(f"Chain {chain}: the audit says {report['status']}; {report['anchored_size']} events are anchored.")
    return 0 if report["status"] == "intact" else 3


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0 declared and intact, 1 not declared, 2 wrong usage, 3 declared, but tampered."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    if len(arguments) != 2 or not all(arguments):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return run(arguments[0], arguments[1])
    except (LocalError, ConfigurationError, InputError, NotFoundError, StoreError) as error:
        print(f"Nothing was declared: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
