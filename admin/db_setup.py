"""`python -m admin.db_setup [--check] [--atlas]`: set a database up, or see what differs (docs/operations.md)."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from admin import atlas
from admin.command import CommandError, explain
from admin.mongo import check_mongo
from admin.setup import IN_ORDER, Document, Setup, SetupResult
from eventlog.console import run as run_command
from eventlog.formats.search_keys import parse_fields
from eventlog.store.mongo.roles import ROLES

SHORTEST = 16


class AdminSettings(BaseSettings):
    """Settings of the command. Secrets come from the environment, `.env` or files, as others can see a command line."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    mongo_database: str = "eventlog"
    mongo_admin_uri: SecretStr | None = None
    mongo_admin_uri_file: Path | None = None
    search_fields: str = Field(default="", validation_alias="EVENTLOG_SEARCH_FIELDS")
    eventlog_ingest_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_ingest_password_file: Path | None = None
    eventlog_query_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_query_password_file: Path | None = None
    eventlog_audit_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_audit_password_file: Path | None = None
    eventlog_erase_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_erase_password_file: Path | None = None

    @field_validator("search_fields")
    @classmethod
    def _check_search_fields(cls, value: str) -> str:
        parse_fields(value)
        return value

    def uri(self) -> str:
        """Return the administrator's URI.

        Raises:
            CommandError: none was given.
        """
        found = self._secret("mongo_admin_uri")
        if found is None:
            raise CommandError("Set MONGO_ADMIN_URI, or MONGO_ADMIN_URI_FILE to a file that holds it.")
        return found

    def passwords(self) -> dict[str, str]:
        """Return the passwords that were given, by user.

        Raises:
            CommandError: a password is too short, or its file can't be read.
        """
        found = {role.name: self._secret(f"{role.name}_password".replace("-", "_")) for role in ROLES}
        for name, password in found.items():
            if password is not None and len(password) < SHORTEST:
                raise CommandError(f"The password for {name} is shorter than {SHORTEST} characters.")
        return {name: password for name, password in found.items() if password is not None}

    def _secret(self, name: str) -> str | None:
        given: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if given is not None or path is None:
            return None if given is None else given.get_secret_value()  # the variable goes before the file
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}, from {name.upper()}_FILE, can't be read.") from error


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
    try:
        return run(AdminSettings(), check=given.check, on_atlas=given.atlas)
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    except CommandError as error:
        print(error, file=sys.stderr)
    except PyMongoError as error:
        print(f"MongoDB: {type(error).__name__}.", file=sys.stderr)  # its text may repeat parts of the URI
    return 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
