"""What a running app holds: settings and, made on first use, the store. One MongoDB client a process, until the
connection string is another."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from pymongo import MongoClient

from eventlog.settings import Settings, listed
from eventlog.store.errors import CredentialsRefusedError, StoreUnavailableError
from eventlog.store.mongo.store import MongoStore
from eventlog.wiring.connected import Connected
from eventlog.wiring.secret import ConfigurationError, ConnectionString

if TYPE_CHECKING:
    from eventlog.anchors.anchoring import Anchoring
    from eventlog.anchors.store import AnchorStore
    from eventlog.audit.auditor import Auditor
    from eventlog.audit.restore import Restorer
    from eventlog.evidence.proofs import Evidence
    from eventlog.formats.note import Signer
    from eventlog.ingest.appending import Ingest
    from eventlog.ingest.queue_consumer import Consumer
    from eventlog.ingest.sqs import SqsQueue
    from eventlog.store.interface import Draft, Placed
    from eventlog.store.interface.counts import EventCounts
    from eventlog.store.mongo.leases import Leases
    from eventlog.streams.streams import Streams

__all__ = ["ConfigurationError", "Resources"]


class Resources:
    """Lazily connected, reused across invocations and by many threads."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._given = settings
        self._connecting = threading.Lock()
        self._reconnecting = threading.Lock()
        self._connected: Connected | None = None
        self._replaced: Connected | None = None

    @cached_property
    def settings(self) -> Settings:
        return self._given or Settings()

    @property
    def connected(self) -> Connected:
        """What works with the connection string as it was last read."""
        found = self._connected
        if found is not None:
            return found
        with self._connecting:
            if self._connected is None:
                self._connected = self._connect(self._uri.get())
            return self._connected

    @contextmanager
    def heeding_refusals(self) -> Iterator[None]:
        """Around work that no route does: a refusal is raised as any error, but the next time may find another secret.

        Raises:
            CredentialsRefusedError
        """
        try:
            yield
        except CredentialsRefusedError:
            self.refused()
            raise

    def refused(self) -> None:
        """MongoDB refused the user or the password: read the secret again, and if it changed, connect with it.

        What works with the old client goes on: it is closed only when the next one has been replaced too. A secret
        that can't be used changes nothing.
        """
        if not self._reconnecting.acquire(blocking=False):
            return
        try:
            uri, old = self._uri.get_again(), self._connected
            if uri is None or old is None or uri == old.uri:
                return
            new = self._connect(uri)
            if self._replaced is not None:
                self._replaced.client.close()
            self._replaced, self._connected = old, new
            self._logger.warning("MongoDB refused the password; the secret has another, which is used now")
        except (ConfigurationError, StoreUnavailableError) as error:
            self._logger.error("the new secret can't be used", extra={"error": str(error)})
        finally:
            self._reconnecting.release()

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        return self.connected.client

    @property
    def store(self) -> MongoStore:
        return self.connected.store

    @property
    def ingest(self) -> "Ingest":
        return self.connected.ingest

    @cached_property
    def queue(self) -> "SqsQueue | None":
        """Where accepted events wait; None: nothing is asynchronous."""
        from eventlog.ingest.sqs import SqsQueue  # noqa: PLC0415  not needed by every log

        return SqsQueue(self.settings.queue_url) if self.settings.queue_url else None

    @cached_property
    def consumer(self) -> "Consumer":
        """Appends what waits in the queue."""
        from eventlog.ingest.queue_consumer import Consumer  # noqa: PLC0415  the queue function's own
        from eventlog.ingest.sqs import SqsQueue  # noqa: PLC0415

        if not self.settings.dead_letters_url:
            raise ConfigurationError("set EVENTLOG_DEAD_LETTERS_URL")
        return Consumer(self._append, SqsQueue(self.settings.dead_letters_url))

    def _append(self, chain: str, drafts: "Sequence[Draft]") -> "list[Placed]":
        """By the store as it is then connected: a consumer lives longer than a password."""
        with self.heeding_refusals():
            return self.store.append(chain, drafts)

    @property
    def evidence(self) -> "Evidence":
        return self.connected.evidence

    @property
    def counts(self) -> "EventCounts":
        return self.connected.counts

    @property
    def leases(self) -> "Leases":
        return self.connected.leases

    @cached_property
    def streams(self) -> "Streams":
        from eventlog.store.mongo.changes import ChangeStreams  # noqa: PLC0415  the query function's own
        from eventlog.store.mongo.checkpoints import CheckpointStore  # noqa: PLC0415
        from eventlog.streams.streams import Streams  # noqa: PLC0415
        from eventlog.streams.watcher import Sources  # noqa: PLC0415

        changes = ChangeStreams(lambda: self.store, max(1, self.settings.mongo_pool_size // 4))
        return Streams(Sources(lambda: self.store, lambda: CheckpointStore(self.store)), changes.hints)

    @property
    def auditor(self) -> "Auditor":
        return self.connected.auditor

    @property
    def restorer(self) -> "Restorer":
        return self.connected.restorer

    @property
    def anchoring(self) -> "Anchoring | None":
        return self.connected.anchoring

    @cached_property
    def anchors(self) -> "AnchorStore | None":
        """The anchor store; None: nothing is anchored."""
        from eventlog.anchors.places import open_anchors  # noqa: PLC0415  the audit function's own, as are the keys

        settings = self.settings
        return open_anchors(settings.anchors, settings.anchor_retention_days) if settings.anchors else None

    @cached_property
    def signers(self) -> "list[Signer]":
        """What signs; the first one seals."""
        from eventlog.anchors.signing import open_signer  # noqa: PLC0415

        return [open_signer(spec) for spec in listed(self.settings.signing_keys)]

    @cached_property
    def trusted_keys(self) -> list[bytes]:
        """The public keys whose signatures count: those that sign, and the retired ones."""
        from eventlog.anchors.signing import public_key_of  # noqa: PLC0415

        retired = [public_key_of(vkey) for vkey in listed(self.settings.retired_keys)]
        return list(dict.fromkeys([*(signer.public_key for signer in self.signers), *retired]))

    def end_streams(self) -> None:
        """End live streams, which would go on for ever."""
        if "streams" in self.__dict__:
            self.streams.close()

    def close(self) -> None:
        """Close the connections, if there are any."""
        for found in (self._connected, self._replaced):
            if found is not None:
                found.client.close()

    @cached_property
    def _logger(self) -> Logger:
        return Logger(service="eventlog")

    @cached_property
    def _uri(self) -> ConnectionString:
        return ConnectionString(self.settings)

    def _connect(self, uri: str) -> Connected:
        return Connected(self, uri, self._uri.setting)
