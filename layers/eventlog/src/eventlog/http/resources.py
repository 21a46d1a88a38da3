"""What a running app holds: settings and, made on first use, the store. One MongoDB client a process.

A function imports its own service when it starts; another function's is imported when it is first asked for.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from pymongo import MongoClient

from eventlog.settings import Settings
from eventlog.store.mongo import MongoStore, connect
from eventlog.store.operations import Operations

if TYPE_CHECKING:
    from eventlog.service.audit import Auditor
    from eventlog.service.evidence import Evidence
    from eventlog.service.ingest import Ingest


class ConfigurationError(Exception):
    """A setting is missing; the text names it."""


class Resources:
    """Lazily connected, reused across invocations."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._given = settings

    @cached_property
    def settings(self) -> Settings:
        return self._given or Settings()

    @cached_property
    def client(self) -> MongoClient[dict[str, Any]]:
        return connect(self._uri())

    @cached_property
    def store(self) -> MongoStore:
        return MongoStore(Operations(self.client, self.settings.mongo_database), self.settings.origin)

    @cached_property
    def ingest(self) -> "Ingest":
        from eventlog.service.ingest import Ingest  # noqa: PLC0415  the ingest function's own
        from eventlog.store.combine import Combiner  # noqa: PLC0415

        return Ingest(Combiner(self.store.append))

    @cached_property
    def evidence(self) -> "Evidence":
        from eventlog.service.evidence import Evidence  # noqa: PLC0415  the query function's own

        return Evidence(self.store.operations)

    @cached_property
    def auditor(self) -> "Auditor":
        from eventlog.service.audit import Auditor  # noqa: PLC0415  the audit function's own, with multiprocessing
        from eventlog.service.audit_workers import Workers  # noqa: PLC0415
        from eventlog.store.audits import AuditStore  # noqa: PLC0415

        workers = Workers(self._uri(), self.settings.mongo_database)
        return Auditor(self.store, AuditStore(self.store.operations), self.settings.origin, workers=workers)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if "client" in self.__dict__:
            self.client.close()

    def _uri(self) -> str:
        if self.settings.mongo_uri:
            return self.settings.mongo_uri
        if not self.settings.mongo_uri_secret:
            raise ConfigurationError("set MONGO_URI or MONGO_URI_SECRET")
        from aws_lambda_powertools.utilities.parameters import get_secret  # noqa: PLC0415  imports boto3

        return str(get_secret(self.settings.mongo_uri_secret, max_age=300))


async def resources(request: Request) -> Resources:
    """The app's resources, as a dependency (a coroutine: others are sent to a thread)."""
    found: Resources = request.app.state.resources
    return found


Held = Annotated[Resources, Depends(resources)]
