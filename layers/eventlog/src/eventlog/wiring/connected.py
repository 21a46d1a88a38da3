"""What works with one connection string: a MongoDB client and all that stands on it, each made on first use.

When the connection string changes there is another one of these, and whoever still works with the old one ends with it.
A function imports its own service when it starts; another function's is imported when it is first asked for.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from pymongo import MongoClient
from pymongo.errors import ConfigurationError as UnusableError

from eventlog.settings import Settings
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.store import connect, open_log
from eventlog.wiring.secret import ConfigurationError

if TYPE_CHECKING:
    from eventlog.anchors.anchoring import Anchoring
    from eventlog.anchors.store import AnchorStore
    from eventlog.audit.auditor import Auditor
    from eventlog.audit.restore import Restorer
    from eventlog.evidence.proofs import Evidence
    from eventlog.formats.note import Signer
    from eventlog.ingest.appending import Ingest
    from eventlog.store.interface.counts import EventCounts
    from eventlog.store.mongo.audits import AuditStore
    from eventlog.store.mongo.leases import Leases


class Unconnected(Protocol):
    """What does not depend on the connection string."""

    @property
    def settings(self) -> Settings: ...
    @property
    def anchors(self) -> "AnchorStore | None": ...
    @property
    def signers(self) -> "list[Signer]": ...
    @property
    def trusted_keys(self) -> list[bytes]: ...


class Connected:
    """The store and the services over one client.

    Raises:
        ConfigurationError: the URI is none; the text does not show it.
        StoreUnavailableError: no DNS server tells which servers are meant.
    """

    def __init__(self, held: Unconnected, uri: str, setting: str) -> None:
        self._held = held
        self.uri = uri
        self.client: MongoClient[dict[str, Any]] = _client(uri, held.settings.mongo_pool_size, setting)
        self.store = open_log(self.client, held.settings.mongo_database, held.settings.origin)

    @cached_property
    def ingest(self) -> "Ingest":
        from eventlog.ingest.appending import Ingest  # noqa: PLC0415  the ingest function's own
        from eventlog.store.group_commit import GroupCommit  # noqa: PLC0415

        return Ingest(GroupCommit(self.store.append))

    @cached_property
    def evidence(self) -> "Evidence":
        from eventlog.evidence.proofs import Evidence  # noqa: PLC0415  the query function's own
        from eventlog.store.mongo.evidence import MongoEvidenceReader  # noqa: PLC0415

        return Evidence(MongoEvidenceReader(self.store))

    @cached_property
    def counts(self) -> "EventCounts":
        from eventlog.store.mongo.counts import EventCounter  # noqa: PLC0415  the query function's own

        return EventCounter(self.store)

    @cached_property
    def audits(self) -> "AuditStore":
        from eventlog.store.mongo.audits import AuditStore  # noqa: PLC0415  the audit function's own

        return AuditStore(self.store)

    @cached_property
    def leases(self) -> "Leases":
        from eventlog.store.mongo.leases import Leases  # noqa: PLC0415  the audit function's own

        return Leases(self.store)

    @cached_property
    def auditor(self) -> "Auditor":
        from eventlog.audit.auditor import Auditor  # noqa: PLC0415  the audit function's own, with multiprocessing
        from eventlog.audit.metrics import AuditLog  # noqa: PLC0415  the audit function's own
        from eventlog.audit.workers import Workers  # noqa: PLC0415

        settings = self._held.settings
        workers = Workers(self.uri, settings.mongo_database)
        return Auditor(
            self.store,
            self.audits,
            settings.origin,
            workers=workers,
            anchoring=self.anchoring,
            notices=AuditLog(),
        )

    @cached_property
    def restorer(self) -> "Restorer":
        """Declares restores; needs anchors."""
        from eventlog.audit.restore import Restorer  # noqa: PLC0415

        if self.anchoring is None:
            raise ConfigurationError("nothing is anchored: set EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS")
        return Restorer(self.store, self.audits, self.anchoring, self.auditor)

    @cached_property
    def anchoring(self) -> "Anchoring | None":
        """Signs and anchors; None: nothing is anchored."""
        from eventlog.anchors.anchoring import Anchoring  # noqa: PLC0415
        from eventlog.store.mongo.checkpoints import CheckpointStore  # noqa: PLC0415
        from eventlog.store.mongo.tree import TreeReader  # noqa: PLC0415

        held = self._held
        if held.anchors is None:
            return None
        return Anchoring(
            self.store,
            TreeReader(self.store),
            CheckpointStore(self.store),
            held.anchors,
            signers=held.signers,
            public_keys=lambda: held.trusted_keys,
            idle_millis=held.settings.anchor_idle_seconds * 1000,
        )


def _client(uri: str, pool_size: int, setting: str) -> MongoClient[dict[str, Any]]:
    unusable = ConfigurationError(f"{setting} is no connection string that can be used")
    if not uri.startswith(("mongodb://", "mongodb+srv://")):  # the driver would take it for the name of a server
        raise unusable
    try:
        return connect(uri, pool_size)
    except (UnusableError, ValueError, TypeError) as error:  # whose texts may show a part of the URI
        if type(error.__cause__).__module__.startswith("dns."):  # it says nothing of the URI
            raise StoreUnavailableError(f"MongoDB's servers: {type(error.__cause__).__name__}") from None
        raise unusable from None
