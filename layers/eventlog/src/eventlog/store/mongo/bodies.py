"""The collection ``bodies``, of payloads that are stored apart: inserting rows, and reading those of some events.

A row is inserted, and committed by a majority, before the push of its event, and every event that a reader sees was
pushed. So a reader that reads it after the event, in the same session, finds it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain as chained
from itertools import islice
from typing import Any

from bson import Binary
from pymongo.client_session import ClientSession
from pymongo.database import Database

from eventlog.formats.event import Entry, Event, is_erased
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.mongo.indexes import BY_SEQ, BY_TYPE
from eventlog.store.mongo.inserting import insert_all
from eventlog.store.mongo.seen_orders import SeenOrders
from eventlog.store.mongo.sessions import causal_session
from eventlog.stored import bodies, codec
from eventlog.stored.errors import NotOursError

_APART = b"\x12payload_bytes\0"
"""What the document of an event has in it if its payload is stored apart; other documents may, too."""


class BodyRows:
    """The rows of one database, with its read and write concern."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._database = database
        self.rows = database["bodies"].with_options(codec_options=codec.RAW)
        self._seen = SeenOrders()

    def insert(self, entries: Iterable[Entry], at: int) -> None:
        """Insert the payloads of entries (w: majority), all in one round trip; a second time does no harm.

        Raises:
            CorruptionError: something else stands under the id of one.
            StoreUnavailableError: not known to be committed by a majority.
        """
        fresh = {bodies.body_id(entry): bodies.encode_body(entry, at) for entry in entries}
        with causal_session(self._database.client) as session:
            # A duplicate is a row of our own, of a try that was not acknowledged.
            if insert_all(self._database, self.rows.name, fresh.values(), session):
                self._check_duplicates(fresh, session)

    def _check_duplicates(self, fresh: Mapping[str, bytes], session: ClientSession) -> None:
        found = self.read(fresh, session)
        if any(found.get(name, row) != row for name, row in fresh.items()):
            raise CorruptionError("something else stands in the place of a payload")
        if len(found) < len(fresh):
            raise StoreUnavailableError("MongoDB: a payload is not yet committed by a majority")

    def read(self, ids: Iterable[str], session: ClientSession | None) -> dict[str, bytes]:
        """Read rows by their ids (majority), in one round trip."""
        found = self.rows.find({"_id": {"$in": list(ids)}}, session=session)
        return {row["_id"]: bytes(row.raw) for row in found}

    def fill(self, events: Sequence[Event], session: ClientSession | None) -> list[Event]:
        """Give events their payloads where these are stored apart, and say by what erased ones were erased.

        Without any such nothing is read.

        Raises:
            NotOursError: a payload is missing, or is not the one that was appended.
        """
        ids = [bodies.body_id(event.entry) for event in events if bodies.is_waiting(event.entry)]
        rows = self.read(ids, session) if ids else {}
        if len(rows) < len(ids):
            gone = [event.entry for event in events if bodies.body_id(event.entry) in {*ids} - rows.keys()]
            again = {name: codec.decode_event(raw) for name, raw in self._erased_meanwhile(gone, session).items()}
            events = [again.get(bodies.body_id(event.entry), event) for event in events]
        filled = bodies.with_payloads(events, rows) if ids else list(events)
        return self._with_orders(filled, session) if any(is_erased(event.entry) for event in filled) else filled

    def _with_orders(self, events: Sequence[Event], session: ClientSession | None) -> list[Event]:
        """Say of the erased events of one chain by which order each was erased."""
        from eventlog.store.mongo import erased  # noqa: PLC0415  no start pays for it

        # Read are the orders that this process has not seen yet, one after the other, and those that it has seen to
        # name any of these events. Where that leaves an event without one, the chain may be another than it was, as
        # after a restore: then all are read once more.
        chain, seen = events[0].entry.chain, self._seen
        wanted = {event.seq for event in events if is_erased(event.entry)}
        found = list(events)
        for before in dict.fromkeys((seen.upto(chain), -1)):
            if before < 0:
                seen.forget(chain)
            fresh, kept = list[tuple[int, list[int]]](), list[Event]()
            for order in self.orders(erased.orders_behind(chain, before), session):
                fresh.append((order.seq, named := erased.targets(order)))
                if not wanted.isdisjoint(named):
                    kept.append(order)
            if again := seen.naming(chain, wanted):
                kept += self.orders(erased.orders_at(chain, again), session)
            seen.add(chain, fresh)
            found = erased.with_orders(events, kept)
            if all(event.erased for event in found if event.seq in wanted):
                break
        return found

    def orders(self, wanted: dict[str, Any], session: ClientSession | None) -> Iterator[Event]:
        """Read what may order that events were erased; one that can't be read is left out, as an audit tells of it."""
        rows = self._database["events"].with_options(codec_options=codec.RAW)
        found = rows.find(wanted, session=session, hint=(BY_SEQ if "$in" in wanted["seq"] else BY_TYPE).keys)
        for raw in self.joined((bytes(row.raw) for row in found), session):
            document, row = bodies.split(raw)
            with suppress(NotOursError):
                (event,) = bodies.with_payloads([codec.decode_event(document)], {} if row is None else _by_id(row))
                yield event

    def fill_in_turn(self, batches: Iterable[Sequence[Event]], session: ClientSession | None) -> Iterator[list[Event]]:
        """Do what ``fill`` does for batches of events, in smaller ones where their payloads are many bytes."""
        for batch in batches:
            events = iter(batch)
            for portion in bodies.portions(event.entry for event in batch):
                yield self.fill(list(islice(events, len(portion))), session)

    def joined(self, documents: Iterable[bytes], session: ClientSession | None) -> Iterator[bytes]:
        """Put behind each stored event whose payload is stored apart its row, as it is; without one it stands alone."""
        rest = iter(documents)
        while batch := list(islice(rest, bodies.TOGETHER)):
            yield from chained.from_iterable(self.joined_portions(batch, session))

    def joined_portions(self, batch: list[bytes], session: ClientSession | None) -> Iterator[list[bytes]]:
        """Do what ``joined`` does, and yield as many at a time as one query reads the payloads of.

        Most batches have nothing to join, and are handed on as they are.
        """
        if _APART not in b"".join(batch):
            yield batch
            return
        kept: list[tuple[bytes, Entry | None]] = []
        size = 0
        for document in batch:
            entry = _apart(document)
            kept.append((document, entry))
            size += len(document) + (entry.payload_bytes or 0 if entry else 0)
            if len(kept) >= bodies.TOGETHER or size >= bodies.TOGETHER_BYTES:
                yield list(self._with_rows(kept, session))
                kept, size = [], 0
        yield list(self._with_rows(kept, session))

    def _with_rows(
        self, documents: Sequence[tuple[bytes, Entry | None]], session: ClientSession | None
    ) -> Iterator[bytes]:
        ids = [bodies.body_id(entry) for _, entry in documents if entry]
        rows = self.read(ids, session) if ids else {}
        gone = [
            entry for _, entry in documents if entry and bodies.is_waiting(entry) and bodies.body_id(entry) not in rows
        ]
        again = self._erased_meanwhile(gone, session) if gone else {}
        for document, entry in documents:
            name = bodies.body_id(entry) if entry else ""
            yield again.get(name) or document + rows.get(name, b"")

    def _erased_meanwhile(self, entries: Sequence[Entry], session: ClientSession | None) -> dict[str, bytes]:
        """Read again what has no row: an erasure that came between the two reads has emptied the document first.

        Return those documents that are erased now, by the ids of their rows.
        """
        names = {codec.document_id(entry.chain, entry.event_id): bodies.body_id(entry) for entry in entries}
        chains = {"$in": sorted({entry.chain for entry in entries})}
        events = self._database["events"].with_options(codec_options=codec.RAW)
        found = events.find({"_id": {"$in": list(names)}, "chain": chains, "salt": Binary(b"")}, session=session)
        return {names[row["_id"]]: bytes(row.raw) for row in found}


def _by_id(row: bytes) -> dict[str, bytes]:
    return {bodies.decode_body(row).body_id: row}


def _apart(document: bytes) -> Entry | None:
    """Return the entry of a stored event whose payload is stored apart, or was until it was erased; else None."""
    if _APART not in document:
        return None
    try:
        entry = codec.decode_event(document).entry
    except NotOursError:
        return None
    return None if entry.payload_bytes is None else entry
