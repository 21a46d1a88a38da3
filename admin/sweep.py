"""`python -m admin.sweep [--check]`: remove payloads that writers left behind (docs/operations.md)."""

import argparse
import sys
from collections.abc import Sequence

from admin.command import reported
from admin.mongo import check_mongo
from admin.settings import AdminSettings
from eventlog.console import run as run_command
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import connect
from eventlog.store.mongo.sweep import Sweep

_COUNTING_SECONDS = 600.0


def run(settings: AdminSettings, *, check: bool) -> int:
    """Remove, or with ``check`` only count, the payloads that no event has an hour after they were stored; return 0."""
    uri = settings.uri()
    place = check_mongo(uri, settings.mongo_database, "MONGO_ADMIN_URI")
    with connect(uri) as client:
        sweep = Sweep(Operations(client, settings.mongo_database))
        if check:
            left = sweep.count(_COUNTING_SECONDS)
            print(f"Database {settings.mongo_database} at {place}: {left.payloads} payloads are left over.")
            return 0
        print(
            f"Database {settings.mongo_database} at {place}: {sweep.remove()} payloads that no event has were removed."
        )
    return 0


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 it is done, 1 it can't be, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="make sweep", description="Remove payloads that writers left behind.")
    parser.add_argument("--check", action="store_true", help="only count them (CHECK=1)")
    given = parser.parse_args(arguments)
    return reported(lambda: run(AdminSettings(), check=given.check))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
