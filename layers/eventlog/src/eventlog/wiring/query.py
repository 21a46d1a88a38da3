"""What the query function works with."""

from functools import cached_property

from eventlog.evidence.heads import HeadEvidence
from eventlog.evidence.proofs import Evidence
from eventlog.evidence.served import ServedCheckpoints
from eventlog.store.interface.counts import EventCounts
from eventlog.store.interface.searches import SearchReads
from eventlog.store.interface.standings import StandingReads
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.changes import ChangeStreams
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.counts import EventCounter
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.heads import HeadRows
from eventlog.store.mongo.standings import StandingRows
from eventlog.store.mongo.suggestions import Suggestions
from eventlog.store.search_fields import DeclaredFields
from eventlog.streams.streams import Streams
from eventlog.streams.watcher import Sources
from eventlog.wiring.connection import Connected, Wiring, per_connection


class QueryWiring(Wiring):
    """Reads events, evidence and audit reports, and follows chains."""

    @per_connection
    def evidence(self, connected: Connected) -> Evidence:
        """Open the proofs, checkpoints and tiles."""
        return Evidence(MongoEvidenceReader(connected.log))

    @per_connection
    def heads(self, connected: Connected) -> HeadEvidence:
        """Open the proofs of heads under the registry."""
        return HeadEvidence(HeadRows(connected.log), CheckpointStore(connected.log), self.evidence)

    @per_connection
    def counts(self, connected: Connected) -> EventCounts:
        """Open the counts for statistics."""
        return EventCounter(connected.log)

    @cached_property
    def declared(self) -> DeclaredFields:
        """The search fields that are declared, as the registry has them."""
        return DeclaredFields(lambda: self.log)

    @per_connection
    def searches(self, connected: Connected) -> SearchReads:
        """Open what says which values there are to search for."""
        return Suggestions(connected.log)

    @per_connection
    def audits(self, connected: Connected) -> AuditStore:
        """Open the stored audit reports."""
        return AuditStore(connected.log)

    @per_connection
    def standings(self, connected: Connected) -> StandingReads:
        """Open what audits have found of each chain, and what of it stands."""
        return StandingRows(connected.log)

    @cached_property
    def streams(self) -> Streams:
        """The live streams of this process; a quarter of its connections may watch for changes."""
        changes = ChangeStreams(lambda: self.log, max(1, self.settings.mongo_pool_size // 4))
        sources = Sources(lambda: self.log, self._checkpoints)
        return Streams(sources, changes.hints, self.settings.streams_per_caller)

    def _checkpoints(self) -> ServedCheckpoints:
        return ServedCheckpoints(CheckpointStore(self.log), self.evidence)

    def end_streams(self) -> None:
        """End live streams, which would otherwise go on for ever."""
        if "streams" in self.__dict__:
            self.streams.close()
