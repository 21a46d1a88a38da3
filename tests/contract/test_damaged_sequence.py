"""Whatever stands in a damaged sequence document or beside it, the store answers as its contract says.

That is with a result or a ``StoreError``, never with an error of Python's that a caller takes for a bug.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from bson import Int64
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from eventlog.formats import hashing
from eventlog.formats.event import ChainState
from eventlog.store.errors import StoreError
from eventlog.store.interface import Draft, Placed, Query
from eventlog.store.mongo import settle
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage, encode_sequence
from tests.integration.writer import CHAIN, ORIGIN
from tests.support.factories import draft

Update = dict[str, Any]
HASH = b"\x01" * 32

DAMAGES: dict[str, Update] = {
    "settled-missing": {"$unset": {"settled": 1}},
    "settled-null": {"$set": {"settled": None}},
    "settled-text": {"$set": {"settled": "x"}},
    "settled-list": {"$set": {"settled": []}},
    "settled-size-missing": {"$unset": {"settled.size": 1}},
    "settled-size-text": {"$set": {"settled.size": "x"}},
    "settled-size-digits": {"$set": {"settled.size": "4"}},
    "settled-size-null": {"$set": {"settled.size": None}},
    "settled-size-double": {"$set": {"settled.size": 4.0}},
    "settled-size-nan": {"$set": {"settled.size": float("nan")}},
    "settled-size-infinite": {"$set": {"settled.size": float("-inf")}},
    "settled-size-negative": {"$set": {"settled.size": Int64(-4)}},
    "settled-size-without-frontier": {"$set": {"settled.size": Int64(7)}},
    "settled-size-last": {"$set": {"settled.size": Int64(2**63 - 1), "settled.frontier": [HASH] * 63}},
    "settled-hash-missing": {"$unset": {"settled.hash": 1}},
    "settled-hash-text": {"$set": {"settled.hash": "x"}},
    "settled-hash-null": {"$set": {"settled.hash": None}},
    "settled-hash-short": {"$set": {"settled.hash": b"\x01"}},
    "frontier-missing": {"$unset": {"settled.frontier": 1}},
    "frontier-text": {"$set": {"settled.frontier": "abc"}},
    "frontier-number": {"$set": {"settled.frontier": 1}},
    "frontier-empty": {"$set": {"settled.frontier": []}},
    "frontier-of-text": {"$set": {"settled.frontier": ["x", "y"]}},
    "frontier-of-null": {"$set": {"settled.frontier": [None, None]}},
    "frontier-too-long": {"$set": {"settled.frontier": [HASH] * 9}},
    "size-missing": {"$unset": {"size": 1}},
    "size-text": {"$set": {"size": "x"}},
    "size-double": {"$set": {"size": 7.5}},
    "size-last": {"$set": {"size": Int64(2**63 - 1)}},
    "pending-missing": {"$unset": {"pending": 1}},
    "pending-null": {"$set": {"pending": None}},
    "pending-text": {"$set": {"pending": "x"}},
    "pending-document": {"$set": {"pending": {"0": "x"}}},
    "pending-empty": {"$set": {"pending": []}},
    "entry-text": {"$set": {"pending.1": "x"}},
    "entry-null": {"$set": {"pending.1": None}},
    "entry-list": {"$set": {"pending.1": [{"content_hash": HASH}]}},
    "entry-empty": {"$set": {"pending.1": {}}},
    "entry-event_id-missing": {"$unset": {"pending.1.event_id": 1}},
    "first-entry-event_id-missing": {"$unset": {"pending.0.event_id": 1}},
    "entry-event_id-document": {"$set": {"pending.1.event_id": {"a": 1}}},
    "entry-event_id-list": {"$set": {"pending.1.event_id": [1]}},
    "entry-content_hash-text": {"$set": {"pending.1.content_hash": "x"}},
    "entry-content_hash-null": {"$set": {"pending.1.content_hash": None}},
    "entry-content_hash-short": {"$set": {"pending.1.content_hash": b"x"}},
    "entry-payload-number": {"$set": {"pending.1.payload": 1}},
    "pending_bytes-missing": {"$unset": {"pending_bytes": 1}},
    "pending_bytes-text": {"$set": {"pending_bytes": "x"}},
    "pending_bytes-double": {"$set": {"pending_bytes": 0.5}},
    "pending_bytes-nan": {"$set": {"pending_bytes": float("nan")}},
    "pending_bytes-negative": {"$set": {"pending_bytes": Int64(-(2**63))}},
    "origin-missing": {"$unset": {"origin": 1}},
}

Act = Callable[[MongoStore, str], object]


def append(*event_ids: str | None) -> Act:
    return lambda store, chain: store.append(chain, [draft(event_id, chain=chain) for event_id in event_ids])


ACTS: dict[str, Act] = {
    "made id": append(None),
    "chosen id": append("new"),
    "replay of a pending event": append("waits-2"),
    "block": append(None, None, None, None),
    "large batch": append(*[None] * 5),
    "settle": lambda store, chain: store.settle(chain),
    "get": lambda store, chain: store.get(chain, "known"),
    "page": lambda store, chain: store.page(Query(chain=chain)),
    "chain": lambda store, chain: store.chain(chain),
    "chains": lambda store, _: store.chains("", 10),
}


CASES = [*product(ACTS, [False]), ("made id", True), ("chosen id", True), ("block", True)]


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "BLOCK", 4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "BLOCK", 4)
    monkeypatch.setattr("eventlog.store.mongo.append._DEADLINE_SECONDS", 0.05)
    monkeypatch.setattr("eventlog.store.mongo.append._GIVE_WAY_LIMIT", 0.0)


def damaged(store: MongoStore, chain: str, damage: str, *, warm: bool) -> ChainState:
    """A chain of four settled events and three that wait, damaged; its true state."""
    genesis = hashing.genesis(ORIGIN, chain)
    state = ChainState(0, genesis)
    for number in range(4):
        state.append(draft(f"known-{number}", chain=chain).entry.content_hash)
    pending = [draft(f"waits-{number}", chain=chain).entry for number in range(3)]
    size = sum(len(codec.encode_entry(entry)) for entry in pending)
    image = SequenceImage(b"", chain, ORIGIN, 7, state.copy(), pending, size)
    operations_of(store).raw_sequences.insert_one(RawBSONDocument(encode_sequence(image)))
    list(state.extend(pending))
    if warm:  # look-ups and hashing start from the process's last push
        list(state.extend(p.event.entry for p in store.append(chain, [draft("warm", chain=chain)])))
    operations_of(store).sequences.update_one({"_id": chain}, DAMAGES[damage])
    return state


def outcome(store: MongoStore, chain: str, act: Act) -> str:
    """The name of the error that is no ``StoreError``."""
    try:
        with suppress(StoreError):
            act(store, chain)
    except Exception as error:
        return type(error).__name__
    return ""


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_sequence_document_gives_a_result_or_a_store_error(store: MongoStore, damage: str) -> None:
    failures = {}
    for number, (name, warm) in enumerate(CASES):
        damaged(store, f"c{number}", damage, warm=warm)
        if error := outcome(store, f"c{number}", ACTS[name]):
            failures[name, "warm" if warm else "cold"] = error
    assert failures == {}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_receipt_is_what_it_would_be_without_the_damage_or_is_not_given(store: MongoStore, damage: str) -> None:
    untrue = []
    for number, (event_id, warm) in enumerate(product((None, "new"), (False, True))):
        chain = f"c{number}"
        state = damaged(store, chain, damage, warm=warm)
        new = draft(event_id, chain=chain)
        placed: list[Placed] = []
        with suppress(StoreError):
            placed = store.append(chain, [new])
        if placed and [p.event for p in placed] != list(state.copy().extend([new.entry])):
            untrue.append((event_id, "warm" if warm else "cold", placed[0].event.seq, state.size))
    assert untrue == []


class Meanwhile(Operations):
    """Something else happens right before the first insert."""

    meanwhile: Callable[[], object] | None = None

    def insert(self, *args: Any) -> None:
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act()
        super().insert(*args)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    "row",
    [
        {},
        {"hash": None},
        {"hash": "x"},
        {"hash": HASH},
    ],
    ids=str,
)
def test_a_row_without_a_hash_in_a_pending_event_s_place_does_not_fail_a_committed_append(
    client: MongoClient[Any], database: str, row: dict[str, Any]
) -> None:
    operations = Meanwhile(client, database)
    store = MongoStore(operations, ORIGIN)
    store.append(CHAIN, [draft()])
    store.settle(CHAIN)

    def others() -> None:
        assert operations.push(CHAIN, [draft().entry], None) is not None
        operations.events.insert_one({"_id": "planted", "chain": CHAIN, "seq": Int64(1 + settle.BLOCK), **row})

    operations.meanwhile = others
    drafts: list[Draft] = [draft() for _ in range(settle.BLOCK)]
    placed = store.append(CHAIN, drafts)
    assert [p.event.entry for p in placed] == [d.entry for d in drafts]
