"""What the ingest function works with."""

from functools import cached_property, partial

from eventlog.ingest.appending import Ingest
from eventlog.ingest.indexing import Indexer
from eventlog.ingest.sqs import SqsQueue
from eventlog.store.group_commit import GroupCommit
from eventlog.store.search_fields import DeclaredFields, WriterFields
from eventlog.wiring.connection import Connected, Wiring, per_connection


class IngestWiring(Wiring):
    """Appends events, or puts them into a queue."""

    @per_connection
    def ingest(self, connected: Connected) -> Ingest:
        """Build what appends; requests that come at the same time share a write."""
        limit, log = self.settings.new_chains_per_day, connected.log
        append = partial(log.append_limited, new_chains=limit)
        return Ingest(GroupCommit(append), partial(log.open_chain, new_chains=limit) if limit else None)

    @per_connection
    def indexer(self, connected: Connected) -> Indexer | None:
        """Build what derives keys; None if no search fields are declared."""
        fields = self.settings.declared_fields
        log = connected.log
        return Indexer(WriterFields(fields, DeclaredFields(lambda: log)), log) if fields else None

    @cached_property
    def queue(self) -> SqsQueue | None:
        """Where accepted events wait; None if the log has no queue, so that every append is answered with a receipt."""
        return SqsQueue(self.settings.queue_url) if self.settings.queue_url else None
