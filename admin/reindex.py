"""`python -m admin.reindex [CHAIN]`: index older events by the search fields in force (docs/operations.md)."""

import sys
from collections.abc import Sequence
from itertools import islice

from admin.command import CommandError, reported
from admin.mongo import check_mongo
from admin.settings import AdminSettings
from eventlog.console import run as run_command
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.reindex import Progress, Reindexer
from eventlog.store.mongo.store import MongoStore, connect, open_log
from eventlog.store.mongo.suggestions import Suggestions
from eventlog.store.search_fields import DeclaredFields

_NAMED = 20


def run(settings: AdminSettings, chain: str) -> int:
    """Index one chain, or all; return 0 if all of it is by the version in force, 3 if something is left."""
    uri = settings.uri()
    print(f"Database {settings.mongo_database} at {check_mongo(uri, settings.mongo_database, 'MONGO_ADMIN_URI')}")
    with connect(uri) as client:
        return reindex(open_log(client, settings.mongo_database, ""), chain)


def reindex(log: MongoStore, chain: str) -> int:
    """Index chains by the version that the registry has last, and say of each how far it came.

    Raises:
        CommandError: no search fields are declared.
        StoreError: not done to the end; to call it again goes on.
    """
    versions = DeclaredFields(lambda: log).versions()
    if not versions or not versions[-1]:
        raise CommandError("No search fields are declared: set EVENTLOG_SEARCH_FIELDS where audits run.")
    newest, complete = versions[-1], True
    print(f"Search fields, version {newest.version}: {', '.join(newest.fields)}")
    reads = Suggestions(log)
    for name in [chain] if chain else AuditStore(log).chain_names():
        progress = Progress()
        Reindexer(log, newest).run(name, progress)
        lowest = reads.indexed_version(name)
        print(f"{name}: {progress.indexed} events indexed, all by version {lowest} or later")
        for seq, why in islice(sorted(progress.left.items()), _NAMED):
            print(f"  event {seq} is left as it is: {why}")
        if len(progress.left) > _NAMED:
            print(f"  and {len(progress.left) - _NAMED} more")
        complete = complete and (lowest is None or lowest >= newest.version)
    return 0 if complete else 3


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 all is indexed, 1 it can't be done, 2 wrong usage, 3 something is left."""
    if len(arguments) > 1:
        print("usage: make reindex [CHAIN=main]", file=sys.stderr)
        return 2
    return reported(lambda: run(AdminSettings(), arguments[0] if arguments else ""))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
