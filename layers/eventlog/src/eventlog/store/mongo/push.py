"""The push that commits events: its command, what the server answers, and when its outcome is unknown."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from bson import DatetimeMS, Int64, Timestamp
from bson.raw_bson import RawBSONDocument

from eventlog.formats.event import ChainState, Entry
from eventlog.formats.hashing import HASH_SIZE
from eventlog.store.errors import CorruptionError
from eventlog.stored import codec
from eventlog.stored.checks import check_types
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import decode_settled

PENDING_LIMIT = 1 << 20
"""Bytes of pending entries beyond which a push is refused until they are settled."""

PUSH_SECONDS = 5.0
"""How long a push may take until a majority has it. Some of an append's time is left then, to see whether it is in."""

DAMAGED = "the sequence document is damaged; run an audit"
_FIELDS = {"size": 1, "settled": 1, "pending.content_hash": 1, "pending_bytes": 1}
_BOUNDED_FIELDS = _FIELDS | {"pending.event_id": 1}


class UnknownOutcomeError(Exception):
    """A push may or may not be in. ``in_flight``: the server may still apply it later."""

    def __init__(self, in_flight: bool) -> None:
        super().__init__("the outcome of a push is unknown")
        self.in_flight = in_flight


class PushImage(NamedTuple):
    """What a sequence document held right after our own acknowledged push; it is majority-committed.

    ``pending`` are the content hashes of the pending entries, ours last. ``waiting_bytes`` are those of the entries
    that were pending before our ``own``, encoded. ``ids`` are the pending event ids, None if the push had no bound.
    ``time`` is the cluster time then; None in the first moments of a replica set with access control, which does not
    say it yet.
    """

    settled: ChainState
    pending: list[bytes]
    waiting_bytes: int
    own: Sequence[bytes]
    ids: frozenset[str] | None
    time: Timestamp | None

    @property
    def size(self) -> int:
        """The chain's size, our entries included."""
        return self.settled.size + len(self.pending)

    @property
    def own_bytes(self) -> int:
        """How many bytes our own entries have."""
        return sum(map(len, self.own))


def push_command(
    chain: str, entries: Sequence[Entry], bound: int | None, stored_at: int | None
) -> tuple[dict[str, Any], list[bytes]]:
    """Build the command of ``Operations.push``; return it and the entries as it has them."""
    encoded = [codec.encode_entry(entry) for entry in entries]
    size = sum(map(len, encoded))
    query: dict[str, Any] = {"_id": chain, "pending_bytes": {"$lt": PENDING_LIMIT}}
    fields = _FIELDS
    if stored_at is not None:
        # Whoever removes old payloads that no event has first says so here, and looks for their events after that
        # (``sweep.py``). So either it sees this push, or this push sees it, however late it comes and whatever the
        # clocks say: both times are the same writer's.
        query["swept"] = {"$not": {"$gt": DatetimeMS(stored_at)}}
    if bound is not None:
        # The ids were looked up when the chain had ``bound`` events. What was pushed since is still pending as long as
        # nothing beyond the bound was settled, and then the first condition sees one of the ids there.
        query["pending.event_id"] = {"$nin": [entry.event_id for entry in entries]}
        query["settled.size"] = {"$lte": Int64(bound)}
        query["size"] = {"$gte": Int64(bound)}  # else it is another chain, of a database restored meanwhile
        fields = _BOUNDED_FIELDS
    update = {
        "$push": {"pending": {"$each": [RawBSONDocument(raw) for raw in encoded]}},
        "$inc": {"size": Int64(len(encoded)), "pending_bytes": Int64(size)},
    }
    command: dict[str, Any] = {
        "findAndModify": "sequences",
        "query": query,
        "update": update,
        "new": True,
        "fields": fields,
    }
    return command, encoded


def content_hashes(found: dict[str, Any]) -> list[bytes]:
    """Return the content hashes of the pending entries.

    Raises:
        CorruptionError: one is missing or is none.
    """
    try:
        hashes = [item["content_hash"] for item in found["pending"]]
    except (KeyError, TypeError):  # TypeError: an entry is no document
        raise CorruptionError(DAMAGED) from None
    if hashes and ({*map(type, hashes)} != {bytes} or {*map(len, hashes)} != {HASH_SIZE}):
        raise CorruptionError(DAMAGED)
    return hashes


def push_image(reply: dict[str, Any], own: Sequence[bytes]) -> PushImage:
    """Read the reply to an acknowledged push of these entries.

    Raises:
        CorruptionError: the document is not what pushes make.
    """
    found = reply["value"]
    try:
        check_types(found, {"size": Int64, "settled": dict, "pending": list, "pending_bytes": Int64})
        state = decode_settled(found["settled"])
        # A bounded push asks for the pending ids, and its own entries are pending, so the last one tells which it was.
        ids = frozenset(item["event_id"] for item in found["pending"]) if "event_id" in found["pending"][-1] else None
    except (NotOursError, KeyError, TypeError, IndexError) as error:
        raise CorruptionError(DAMAGED) from error
    pending = content_hashes(found)
    if found["size"] != state.size + len(pending):
        raise CorruptionError(DAMAGED)
    waiting = int(found["pending_bytes"]) - sum(map(len, own))
    return PushImage(state, pending, waiting, own, ids, reply.get("operationTime"))
