"""`python -m admin.restore CHAIN REASON`: declare that a chain was restored from a backup (docs/operations.md)."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing

from admin.command import CommandError, CommandSettings
from admin.mongo import check_mongo
from eventlog.errors import InputError, NotFoundError
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreError
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection

USAGE = 'usage: make restore CHAIN=main REASON="restored the backup of 3 May after a disk failure"'


def run(chain: str, reason: str) -> int:
    """Declare the restore on the database of MONGO_URI; return the exit code, 0 or 3.

    Raises:
        CommandError: MONGO_URI is not set or can't be used.
    """
    uri = CommandSettings().mongo_uri
    if uri is None:
        raise CommandError("Set MONGO_URI to the database of the chain.")
    settings = Settings(mongo_uri=uri)
    return declare(settings, f"{check_mongo(uri, settings.mongo_database)} (from MONGO_URI)", chain, reason)


def declare(settings: Settings, place: str, chain: str, reason: str) -> int:
    """Declare the restore of a chain; return the exit code: 0 if the audit after it finds the chain intact, else 3."""
    print(f"MongoDB at {place}")
    with closing(Connection(settings)) as connection:
        report = AuditWiring(connection).restorer.restore(chain, reason)
    print(f"Chain {chain}: the audit says {report.status}; {report.anchored_size} events are anchored.")
    return 0 if report.status == "intact" else 3


def main(arguments: Sequence[str], run: Callable[[str, str], int] = run) -> int:
    """Return the exit code: 0 declared and intact, 1 not declared, 2 wrong usage, 3 declared, but tampered."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    if len(arguments) != 2 or not all(arguments):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return run(arguments[0], arguments[1])
    except (CommandError, ConfigurationError, InputError, NotFoundError, StoreError) as error:
        print(f"Nothing was declared: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
