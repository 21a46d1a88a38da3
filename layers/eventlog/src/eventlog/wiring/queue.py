"""What the ingest_queue function works with."""

from collections.abc import Sequence
from functools import cached_property

from eventlog.ingest.deliveries import Deliveries
from eventlog.ingest.indexing import Indexer
from eventlog.ingest.queue_consumer import Consumer
from eventlog.ingest.sqs import SqsQueue
from eventlog.settings import ConfigurationError
from eventlog.store.interface import Draft, Placed
from eventlog.store.search_fields import DeclaredFields, WriterFields
from eventlog.wiring.connection import Connected, Connection, Wiring, per_connection


class QueueWiring(Wiring):
    """Appends what waits in the queue; ``service`` is its name in logs and metrics."""

    def __init__(self, connection: Connection, service: str = "ingest_queue") -> None:
        super().__init__(connection)
        self._service = service

    @cached_property
    def deliveries(self) -> Deliveries:
        """Takes what SQS delivers.

        Raises:
            ConfigurationError: There is no queue for events that can never be appended.
        """
        return Deliveries(self.consumer, self._service)

    @cached_property
    def consumer(self) -> Consumer:
        """Appends messages.

        Raises:
            ConfigurationError: There is no queue for events that can never be appended.
        """
        if not self.settings.dead_letters_url:
            raise ConfigurationError("set EVENTLOG_DEAD_LETTERS_URL")
        return Consumer(self._append, SqsQueue(self.settings.dead_letters_url))

    def _append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """Append to the log as it is connected at that moment: the consumer stays when the password changes."""
        with self.connection.renew_if_refused():
            return self.log.append(chain, self.indexer.index_accepted(drafts) if self.indexer else drafts)

    @per_connection
    def indexer(self, connected: Connected) -> Indexer | None:
        """Build what derives keys; None if no search fields are declared."""
        fields = self.settings.declared_fields
        log = connected.log
        return Indexer(WriterFields(fields, DeclaredFields(lambda: log)), log) if fields else None
