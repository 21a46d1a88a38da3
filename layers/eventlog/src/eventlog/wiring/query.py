"""What the query function works with."""

from functools import cached_property

from eventlog.evidence.proofs import Evidence
from eventlog.store.mongo.audits import AuditStore
from eventlog.streams.readers import Streams
from eventlog.wiring.connection import Connected, Wiring, per_connection


class QueryWiring(Wiring):
    """Reads events, evidence and audit reports, and follows chains."""

    @per_connection
    def evidence(self, connected: Connected) -> Evidence:
        """Proofs, checkpoints and tiles."""
        return Evidence(connected.log)

    @per_connection
    def audits(self, connected: Connected) -> AuditStore:
        """Stored audit reports."""
        return AuditStore(connected.log)

    @cached_property
    def streams(self) -> Streams:
        """The live streams of this process, of which a quarter of the connections may watch for changes."""
        return Streams(lambda: self.log, max(1, self.settings.mongo_pool_size // 4))

    def end_streams(self) -> None:
        """End live streams, which would go on for ever."""
        if "streams" in self.__dict__:
            self.streams.close()
