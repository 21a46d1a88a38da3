"""`python -m admin.db_setup [--check] [--atlas]`: set a database up, or see what differs (docs/operations.md)."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from pymongo import MongoClient

from admin import atlas
from admin.command import reported
from admin.mongo import check_mongo
from admin.settings import AdminSettings
from admin.setup import IN_ORDER, Document, Setup, SetupResult
from eventlog.console import run as run_command
from eventlog.store.mongo.roles import ROLES


def run(settings: AdminSettings, *, check: bool, on_atlas: bool) -> int:
    """Set the database up and print the result of each step; return 0 if all is as declared now, 3 if not."""
    # Atlas refuses createRole, also to its administrators: there the roles are printed, for its own command line and
    # API.
    uri, passwords = settings.uri(), settings.passwords()
    place = check_mongo(uri, settings.mongo_database, "MONGO_ADMIN_URI")
    on_atlas = on_atlas or ".mongodb.net" in place
    print(f"Database {settings.mongo_database} at {place}{', which is only looked at' if check else ''}")
    in_order = True
    with MongoClient[Document](uri, appname="eventlog-admin") as client:
        setup = Setup(client, uri, settings.mongo_database, check=check, searched=bool(settings.search_fields))
        for outcome in outcomes(setup, {} if on_atlas else passwords, roles=not on_atlas):
            print(
                f"{outcome.kind:<12}{outcome.name:<66}{outcome.state}{': ' if outcome.detail else ''}{outcome.detail}"
            )
            in_order = in_order and outcome.state in IN_ORDER
    if on_atlas:
        show_atlas(settings.mongo_database)
    return 0 if in_order else 3


def outcomes(setup: Setup, passwords: dict[str, str], *, roles: bool) -> Iterator[SetupResult]:
    """Yield the results of all steps; those of roles and users only with ``roles``."""
    yield from setup.collections()
    if roles:
        yield from setup.roles(passwords)


def show_atlas(database: str) -> None:
    """Print how the roles are made in Atlas."""
    print("\nAtlas makes roles and users itself. With its command line:\n")
    for command in atlas.commands(database):
        print(f"  {command}")
    print("\nor with its API (POST .../customDBRoles/roles):\n")
    for role in ROLES:
        print(f"  {atlas.definition(role, database)}")


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 all is as declared, 1 it can't be done, 2 wrong usage, 3 something still differs."""
    parser = argparse.ArgumentParser(prog="make db-setup", description="Set a database up, or see what differs.")
    parser.add_argument("--check", action="store_true", help="change nothing (CHECK=1)")
    parser.add_argument("--atlas", action="store_true", help="print the roles for Atlas instead (ATLAS=1)")
    given = parser.parse_args(arguments)
    return reported(lambda: run(AdminSettings(), check=given.check, on_atlas=given.atlas))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
