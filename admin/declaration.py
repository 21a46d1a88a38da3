"""`python -m admin.declaration WHAT CHAIN REASON`: what operators declare about a chain (docs/operations.md).

WHAT is ``restore``, of a chain that was restored from a backup, or ``strike-off``, of a name in the registry that is no
chain's.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from admin.command import CommandError, CommandSettings
from admin.mongo import check_mongo
from eventlog.audit.report import AuditReport
from eventlog.console import run as run_command
from eventlog.console import utf8
from eventlog.errors import InputError, NotFoundError
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreError
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection


@dataclass(frozen=True)
class Declaration:
    """A declaration: what makes it, of a chain and a reason, and how it is asked for."""

    usage: str
    make: Callable[[AuditWiring, str, str], AuditReport]

    def run(self, chain: str, reason: str) -> int:
        """Declare it on the database of MONGO_URI; return the exit code, 0 or 3.

        Raises:
            CommandError: MONGO_URI is not set or can't be used.
        """
        uri = CommandSettings().mongo_uri
        if uri is None:
            raise CommandError("Set MONGO_URI to the database of the chain.")
        settings = Settings(mongo_uri=uri)
        place = f"{check_mongo(uri, settings.mongo_database)} (from MONGO_URI)"
        return self.declare(settings, place, chain, reason)

    def declare(self, settings: Settings, place: str, chain: str, reason: str) -> int:
        """Declare it; return the exit code: 0 if the audit after it finds that chain intact, else 3."""
        print(f"MongoDB at {place}")
        with closing(Connection(settings)) as connection:
            report = self.make(AuditWiring(connection), chain, reason)
        print(f"Chain {report.chain}: the audit says {report.status}; {report.anchored_size} events are anchored.")
        return 0 if report.status == "intact" else 3


DECLARATIONS = {
    "restore": Declaration(
        'usage: make restore CHAIN=main REASON="restored the backup of 3 May after a disk failure"',
        lambda wired, chain, reason: wired.restorer.restore(chain, reason),
    ),
    "strike-off": Declaration(
        'usage: make strike-off CHAIN=ghost REASON="put into the registry by a script on 3 May, never a chain"',
        lambda wired, chain, reason: wired.registrar.strike_off(chain, reason),
    ),
}


def main(arguments: Sequence[str], run: Callable[[Declaration, str, str], int] = Declaration.run) -> int:
    """Return the exit code: 0 declared and intact, 1 not declared, 2 wrong usage, 3 declared, but tampered."""
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    asked = DECLARATIONS.get(arguments[0]) if arguments else None
    if asked is None:
        print("\n".join(each.usage for each in DECLARATIONS.values()), file=sys.stderr)
        return 2
    # Where make was given no CHAIN or no REASON, an argument is empty.
    if len(arguments) != 3 or not all(arguments):
        print(asked.usage, file=sys.stderr)
        return 2
    try:
        return run(asked, utf8(arguments[1]), utf8(arguments[2]))
    except UnicodeError:
        print("Nothing was declared: chain and reason must be UTF-8.", file=sys.stderr)
        return 1
    except (CommandError, ConfigurationError, InputError, NotFoundError, StoreError) as error:
        print(f"Nothing was declared: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
