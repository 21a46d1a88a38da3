"""Evidence on MongoDB: an anchor copy, the tree and its events in one session.

Events come in order of seq. Those of a time window are found by the index on time, which has seqs but in another order:
either the span of seqs is scanned and what is outside the window left out by MongoDB, or, where most of the span is
outside, MongoDB sorts the window's seqs and only the events at these are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain as chained
from itertools import islice
from typing import Any, NamedTuple

from bson import DatetimeMS, Int64
from pymongo import ASCENDING

from eventlog.formats.bundle import TimeRange
from eventlog.formats.event import Event
from eventlog.store.mongo import erased
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.cosignatures import CosignatureRows
from eventlog.store.mongo.driver_errors import answered, mapped
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.tree import MongoTreeView
from eventlog.stored import codec
from eventlog.stored.anchor_copies import AnchorCopy

_BATCH = 500
_SCATTERED = 8
"""A window with fewer than one in so many of the events around it is not read by a scan over all of them."""
_BY_SEQ = [("chain", ASCENDING), ("seq", ASCENDING)]
_BY_TIME = [("chain", ASCENDING), ("timestamp", ASCENDING), ("seq", ASCENDING)]


class Span(NamedTuple):
    """Where the events of a selection are, low <= seq < high. ``scattered``: most of those in between are others."""

    low: int
    high: int
    scattered: bool = False


class MongoEvidenceView(MongoTreeView):
    """``EvidenceView`` on MongoDB."""

    def events(self, start: int, end: int) -> Iterator[list[Event]]:
        """See ``EvidenceView.events``."""
        return self._filled(Span(start, end), None)

    def events_in(self, window: TimeRange, start: int, end: int) -> Iterator[list[Event]]:
        """See ``EvidenceView.events_in``; the span to read is found by the index on time."""
        span = self.span(window, end)
        return self._filled(span._replace(low=max(span.low, start)), window)

    def ordered_to_erase(self, start: int, end: int, window: TimeRange | None) -> bool:
        """See ``EvidenceView.ordered_to_erase``; of a chain without such orders nothing is read."""
        with mapped():
            orders = self._operations.bodies.orders(erased.orders_behind(self.chain, start), self.session)
            if (first := next(orders, None)) is None:
                return False
            if window is not None:
                span = self.span(window, end)
                start, end = max(start, span.low), span.high
            return any(start <= seq < end for order in chained([first], orders) for seq in erased.targets(order))

    def span(self, window: TimeRange, size: int) -> Span:
        """Find where the events of a time window are, below ``size``; from the window's index alone."""
        group: dict[str, Any] = {"_id": None, "low": {"$min": "$seq"}, "high": {"$max": "$seq"}, "count": {"$sum": 1}}
        stages: list[dict[str, Any]] = [{"$match": self._settled(window, 0, size)}, {"$group": group}]
        found: list[dict[str, Any]] = []
        if self.image.settled.size:
            with mapped():
                found = list(self._operations.events.aggregate(stages, session=self.session, hint=dict(_BY_TIME)))
        seqs = [int(found[0][name]) for name in ("low", "high")] if found else []
        count = found[0]["count"] if found else 0
        scattered = bool(found) and seqs[1] - seqs[0] > _SCATTERED * count
        seqs += [event.seq for event in self.pending if event.seq < size and window.has(event)]
        return Span(min(seqs), max(seqs) + 1, scattered) if seqs else Span(0, 0)

    def _filled(self, span: Span, window: TimeRange | None) -> Iterator[list[Event]]:
        """Iterate over what ``batches`` gives, with all payloads."""
        with mapped():
            yield from self._operations.bodies.fill_in_turn(self.batches(span, window), self.session)

    def batches(self, span: Span, window: TimeRange | None) -> Iterator[list[Event]]:
        """Iterate over the events of a span, those of a window if there is one; the pending ones come last.

        Payloads that are stored apart are not in them yet.
        """
        if span.low < min(span.high, self.image.settled.size):
            with mapped():
                if window is not None and span.scattered:
                    yield from self._one_by_one(span, window)
                else:
                    yield from self._scan(self._settled(window, span.low, span.high))
        waiting = [event for event in self.pending if span.low <= event.seq < span.high]
        yield [event for event in waiting if window is None or window.has(event)]

    def _scan(self, wanted: dict[str, Any]) -> Iterator[list[Event]]:
        found: Iterator[Any] = self._operations.events.find_raw_batches(
            wanted, session=self.session, sort=[("seq", ASCENDING)], hint=_BY_SEQ, batch_size=_BATCH
        )
        return map(codec.decode_events, found)

    def _one_by_one(self, span: Span, window: TimeRange) -> Iterator[list[Event]]:
        """Have MongoDB sort the window's seqs, which its index has, and read only the events at these."""
        stages: list[dict[str, Any]] = [
            {"$match": self._settled(window, span.low, span.high)},
            {"$project": {"_id": 0, "seq": 1}},
            {"$sort": {"seq": 1}},
        ]
        places = self._operations.events.aggregate(
            stages, session=self.session, hint=dict(_BY_TIME), allowDiskUse=True, batchSize=_BATCH
        )
        seqs = (found["seq"] for found in places)
        while some := list(islice(seqs, _BATCH)):
            yield from self._scan({"chain": self.chain, "seq": {"$in": some}})

    def _settled(self, window: TimeRange | None, low: int, high: int) -> dict[str, Any]:
        """Filter for what is settled of low <= seq < high, and in the window if there is one."""
        seqs = {"$gte": Int64(low), "$lt": Int64(min(high, self.image.settled.size))}
        wanted: dict[str, Any] = {"chain": self.chain, "seq": seqs}
        if window is not None:
            wanted["timestamp"] = {"$gte": DatetimeMS(window.start_time or 0)}
            if window.end_time is not None:
                wanted["timestamp"]["$lt"] = DatetimeMS(window.end_time)
        return wanted


class MongoEvidenceReader:
    """``EvidenceReader`` on MongoDB."""

    def __init__(self, log: MongoStore) -> None:
        self._operations = operations_of(log)
        self._copies = CheckpointStore(log)
        self._cosignatures = CosignatureRows(log)

    @contextmanager
    def view(self, chain: str, size: int | None) -> Iterator[tuple[MongoEvidenceView | None, AnchorCopy | None]]:
        """See ``EvidenceReader.view``; the copy is read before the tree, so the tree is at least as long."""
        # Mapped around the session, too: one over a connection that takes none fails in its own way (sessions.py).
        with mapped(), self._operations.session() as session:
            newest, at_size = self._copies.newest, self._copies.at_size
            copy = newest(chain, session) if size is None else at_size(chain, size, session)
            with answered(self._operations.client):
                image = self._operations.read_sequence(chain, session)
            yield None if image is None else MongoEvidenceView(self._operations, session, image), copy

    def cosignatures(self, copy: AnchorCopy) -> list[str]:
        """See ``EvidenceReader.cosignatures``."""
        return [each.line for each in self._cosignatures.of(copy.chain, copy.number) if each.size == copy.size]
