"""What a running app holds: settings and, made on first use, the store. One MongoDB client a process.

A function imports its own service when it starts; another function's is imported when it is first asked for.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from pymongo import MongoClient

from eventlog.settings import Settings, listed
from eventlog.store.mongo import MongoStore, connect
from eventlog.store.operations import Operations

if TYPE_CHECKING:
    from eventlog.formats.note import Signer
    from eventlog.service.anchoring import Anchoring
    from eventlog.service.audit import Auditor
    from eventlog.service.evidence import Evidence
    from eventlog.service.ingest import Ingest
    from eventlog.service.queue_consumer import Consumer
    from eventlog.service.restore import Restorer
    from eventlog.store.anchors import AnchorStore
    from eventlog.store.sqs_queue import SqsQueue


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
        return connect(self._uri(), self.settings.mongo_pool_size)

    @cached_property
    def store(self) -> MongoStore:
        return MongoStore(Operations(self.client, self.settings.mongo_database), self.settings.origin)

    @cached_property
    def ingest(self) -> "Ingest":
        from eventlog.service.ingest import Ingest  # noqa: PLC0415  the ingest function's own
        from eventlog.store.combine import Combiner  # noqa: PLC0415

        return Ingest(Combiner(self.store.append))

    @cached_property
    def queue(self) -> "SqsQueue | None":
        """Where accepted events wait; None: nothing is asynchronous."""
        from eventlog.store.sqs_queue import SqsQueue  # noqa: PLC0415  not needed by every log

        return SqsQueue(self.settings.queue_url) if self.settings.queue_url else None

    @cached_property
    def consumer(self) -> "Consumer":
        """Appends what waits in the queue."""
        from eventlog.service.queue_consumer import Consumer  # noqa: PLC0415  the queue function's own
        from eventlog.store.sqs_queue import SqsQueue  # noqa: PLC0415

        if not self.settings.dead_letters_url:
            raise ConfigurationError("set EVENTLOG_DEAD_LETTERS_URL")
        return Consumer(self.store.append, SqsQueue(self.settings.dead_letters_url))

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
        audits = AuditStore(self.store.operations)
        return Auditor(self.store, audits, self.settings.origin, workers=workers, anchoring=self.anchoring)

    @cached_property
    def restorer(self) -> "Restorer":
        """Declares restores; needs anchors."""
        from eventlog.service.restore import Restorer  # noqa: PLC0415
        from eventlog.store.audits import AuditStore  # noqa: PLC0415

        if self.anchoring is None:
            raise ConfigurationError("nothing is anchored: set EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS")
        return Restorer(self.store, AuditStore(self.store.operations), self.anchoring, self.auditor)

    @cached_property
    def anchors(self) -> "AnchorStore | None":
        """The anchor store; None: nothing is anchored."""
        from eventlog.store.anchors import open_anchors  # noqa: PLC0415  the audit function's own, as are the keys

        settings = self.settings
        return open_anchors(settings.anchors, settings.anchor_retention_days) if settings.anchors else None

    @cached_property
    def signers(self) -> "list[Signer]":
        """What signs; the first one seals."""
        from eventlog.service.signing import open_signer  # noqa: PLC0415

        return [open_signer(spec) for spec in listed(self.settings.signing_keys)]

    @cached_property
    def trusted_keys(self) -> list[bytes]:
        """The public keys whose signatures count: those that sign, and the retired ones."""
        from eventlog.service.signing import public_key_of  # noqa: PLC0415

        retired = [public_key_of(vkey) for vkey in listed(self.settings.retired_keys)]
        return list(dict.fromkeys([*(signer.public_key for signer in self.signers), *retired]))

    @cached_property
    def anchoring(self) -> "Anchoring | None":
        """Signs and anchors; None: nothing is anchored."""
        from eventlog.service.anchoring import Anchoring  # noqa: PLC0415
        from eventlog.store.checkpoints import CheckpointStore  # noqa: PLC0415
        from eventlog.store.tree import TreeReader  # noqa: PLC0415

        if self.anchors is None:
            return None
        return Anchoring(
            self.store,
            TreeReader(self.store.operations),
            CheckpointStore(self.store.operations),
            self.anchors,
            signers=self.signers,
            public_keys=lambda: self.trusted_keys,
            idle_millis=self.settings.anchor_idle_seconds * 1000,
        )

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
