"""What operators declare about a chain (docs/operations.md): ``restore.py`` and ``strike_off.py``."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from admin.command import CommandError, CommandSettings
from admin.mongo import check_mongo
from eventlog.audit.report import AuditReport
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

    def main(self, arguments: Sequence[str], run: Callable[[str, str], int] | None = None) -> int:
        """Return the exit code: 0 declared and intact, 1 not declared, 2 wrong usage, 3 declared, but tampered."""
        os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
        if len(arguments) != 2 or not all(arguments):
            print(self.usage, file=sys.stderr)
            return 2
        try:
            return (run or self.run)(*map(utf8, arguments))
        except UnicodeError:
            print("Nothing was declared: chain and reason must be UTF-8.", file=sys.stderr)
            return 1
        except (CommandError, ConfigurationError, InputError, NotFoundError, StoreError) as error:
            print(f"Nothing was declared: {error}", file=sys.stderr)
            return 1
