"""The database that functions talk to: with access control, set up as by `make db-setup`, one user for each role."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from admin.setup import IN_ORDER, Setup
from eventlog.store.mongo.roles import ROLES
from local.machine import LocalError
from local.mongod.secured import SecuredMongo

DATABASE = "eventlog"
USERS = {  # the template's parameter for the secret of each user
    "IngestMongoSecretArn": "eventlog-ingest",
    "QueryMongoSecretArn": "eventlog-query",
    "AuditMongoSecretArn": "eventlog-audit",
    "EraseMongoSecretArn": "eventlog-erase",
}


@dataclass(frozen=True)
class LocalDatabase:
    """A running mongod; ``uris`` are by user, and secret."""

    address: str
    uris: dict[str, str]


@contextmanager
def serve(folder: Path, administrator: str | None) -> Iterator[LocalDatabase]:
    """Run a new database while the context lasts; ``administrator`` is its administrator's password, for tests.

    Raises:
        LocalError: it can't be started or set up.
    """
    with SecuredMongo(folder, administrator or secrets.token_urlsafe(24)) as mongo:
        # The passwords live as long as the run: they go to the functions through Secrets Manager, as in production.
        passwords = {role.name: secrets.token_urlsafe(24) for role in ROLES}
        with mongo.client() as client:
            setup = Setup(client, mongo.uri, DATABASE, check=False)
            outcomes = [*setup.collections(), *setup.roles(passwords)]
        if wrong := [f"{found.kind} {found.name}" for found in outcomes if found.state not in IN_ORDER]:
            raise LocalError(f"The database could not be set up: {', '.join(wrong)}.")
        uris = {user: mongo.uri_of(user, password, DATABASE) for user, password in passwords.items()}
        yield LocalDatabase(mongo.address, uris)
