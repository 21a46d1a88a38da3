"""Large payloads are stored apart: what that costs, that every reader gets them, and what may be removed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient

from eventlog.formats.bundle import TimeRange
from eventlog.formats.event import Event
from eventlog.store.errors import CorruptionError, IdConflictError, LimitError, StoreUnavailableError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Query
from eventlog.store.mongo import append, settle
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.push import PENDING_LIMIT
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.sweep import AFTER_MILLIS, Sweep
from eventlog.stored import bodies, codec
from eventlog.stored.bodies import APART_FROM
from tests.contract.test_combined import Watched
from tests.integration.writer import CHAIN, ORIGIN, audit, check_chain, receipt
from tests.support.factories import draft

Client = MongoClient[dict[str, Any]]
LARGE = {"text": "x" * APART_FROM}
MIXED = [{"n": 1}, LARGE, {"n": 2}, {"text": "y" * 60_000}, {"n": 3}]
LONG_AGO = int(time.time() * 1000) - 2 * AFTER_MILLIS


@contextmanager
def asked(store: MongoStore) -> Iterator[Counter[str]]:
    """How many operations the block makes on each collection, by the server's profiler; known after the block."""
    database = operations_of(store).events.database
    database.command("profile", 2)
    counts: Counter[str] = Counter()
    try:
        yield counts
    finally:
        database.command("profile", 0)
    counts.update(
        found["ns"].partition(".")[2] for found in database["system.profile"].find() if found["op"] != "getmore"
    )
    del counts["system.profile"]
    database.drop_collection("system.profile")


@pytest.fixture
def watched(client: Client, database: str) -> Watched:
    operations = Watched(client, database)
    MongoStore(operations, ORIGIN).append(CHAIN, [draft("first")])
    operations.steps.clear()
    return operations


def put(store: MongoStore, found: Draft, at: int) -> Draft:
    """Store an event's payload apart as of a time, and nothing else; return the draft for its push."""
    (entry,) = bodies.put_apart([found.entry], APART_FROM)
    operations_of(store).insert_bodies([entry], at)
    return found._replace(entry=entry)


def stored(store: MongoStore) -> int:
    return operations_of(store).bodies.rows.count_documents({})


def sequence_size(store: MongoStore) -> int:
    found = operations_of(store).raw_sequences.find_one({"_id": CHAIN})
    assert found is not None
    return len(found.raw)


@pytest.mark.replica_set
def test_a_small_event_costs_what_it_did(store: MongoStore) -> None:
    store.append(CHAIN, [draft()])
    with asked(store) as counts:
        (placed,) = store.append(CHAIN, [draft(payload={"text": "x" * (APART_FROM - 20)})])
    assert counts == {"sequences": 1}
    (pending,) = operations_of(store).sequences.find_one({"_id": CHAIN})["pending"]  # type: ignore[index]
    left_out = {"chain", "payload_bytes", "keys"}  # without large payloads and search fields
    assert list(pending) == [name for name in placed.event.entry._fields if name not in left_out]


@pytest.mark.parametrize("event_id", [None, "chosen"])
def test_a_large_event_takes_one_round_trip_more(watched: Watched, event_id: str | None) -> None:
    store = MongoStore(watched, ORIGIN)
    store.append(CHAIN, [draft("known")])  # this process knows the chain then
    watched.steps.clear()
    store.append(CHAIN, [draft(event_id, payload=LARGE)])
    assert watched.steps == Counter({"insert_bodies": 1, "push": 1} | ({"any_settled": 1} if event_id else {}))


def test_a_process_that_does_not_know_the_chain_looks_for_it_before_it_stores_a_payload(watched: Watched) -> None:
    MongoStore(watched, ORIGIN).append(CHAIN, [draft(payload=LARGE)])
    assert watched.steps == Counter({"read_sequence": 1, "read_events": 1, "insert_bodies": 1, "push": 1})


def test_the_sequence_document_holds_no_large_payload(store: MongoStore) -> None:
    store.append(CHAIN, [draft()])
    for size in (APART_FROM, 200_000, 250_000):
        store.append(CHAIN, [draft(payload={"text": "x" * size})])
    assert sequence_size(store) < 2500
    store.settle(CHAIN)
    assert stored(store) == 3
    assert max(len(found.raw) for found in operations_of(store).raw_events.find()) < 800


@pytest.mark.parametrize(("count", "size"), [(500, 1000), (128, 8100), (500, 8100), (16, 255_000)])
def test_the_sequence_document_has_two_and_a_half_mebibytes_at_most(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, count: int, size: int
) -> None:
    monkeypatch.setattr("eventlog.store.mongo.append.Settler.after_push", lambda *_: True)
    store.append(CHAIN, [draft()])
    waiting = [draft(payload={"text": "x" * 7800}).entry for _ in range(PENDING_LIMIT // 8300)]
    assert operations_of(store).push(CHAIN, waiting, None) is not None
    store.append(CHAIN, [draft(payload={"text": "x" * size}) for _ in range(count)])
    assert sequence_size(store) < 2.5 * (1 << 20)


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
def test_every_reader_gets_large_payloads_with_one_query_more(store: MongoStore, settled: bool) -> None:
    store.append(CHAIN, [draft()])
    appended = [
        placed.event
        for number, payload in enumerate(MIXED)
        for placed in store.append(CHAIN, [draft(f"e{number}", payload=payload, timestamp=1_700_000_000_000 + number)])
    ]
    if settled:
        store.settle(CHAIN)

    def evidence(window: TimeRange | None) -> list[Event]:
        with MongoEvidenceReader(store).view(CHAIN, None) as (view, _):
            assert view is not None
            batches = view.events(1, 6) if window is None else view.events_in(window, 1, 6)
            return [event for batch in batches for event in batch]

    readers: dict[str, Callable[[], list[Event]]] = {
        "by time": lambda: store.page(Query(chain=CHAIN, order="asc")).events[1:],
        "by seq": lambda: store.page(Query(chain=CHAIN, sort="seq", order="asc", from_seq=1)).events,
        "export": lambda: evidence(None),
        "export of a time": lambda: evidence(TimeRange(1_700_000_000_000, 1_800_000_000_000))[-5:],
    }
    for name, read in readers.items():
        with asked(store) as counts:
            found = read()
        assert found == appended, name
        assert counts["bodies"] == 1, name
    with asked(store) as counts:
        assert store.get(CHAIN, "e1") == appended[1]
        assert store.get(CHAIN, "e0") == appended[0]
        small = store.page(Query(chain=CHAIN, order="asc", limit=2)).events
    assert len(small) == 2
    assert counts["bodies"] == 1  # that of e1
    check_chain(store, [])


def test_a_page_ends_early_by_the_bytes_of_payloads_and_reads_no_others(store: MongoStore) -> None:
    store.append(CHAIN, [draft(payload={"text": "x" * 100_000}) for _ in range(8)])
    store.settle(CHAIN)
    page = store.page(Query(chain=CHAIN, max_bytes=250_000))
    assert ([event.seq for event in page.events], page.more) == ([7, 6, 5], True)


def test_a_long_export_reads_payloads_a_few_at_a_time(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "TOGETHER_BYTES", 30_000)
    store.append(CHAIN, [draft(payload=LARGE) for _ in range(9)])
    store.settle(CHAIN)
    with MongoEvidenceReader(store).view(CHAIN, None) as (view, _), asked(store) as counts:
        assert view is not None
        assert [event.seq for batch in view.events(0, 9) for event in batch] == list(range(9))
    assert counts["bodies"] == 3
    with asked(store) as counts:
        assert audit(store).status == "intact"
    assert counts["bodies"] <= 5


def test_the_same_content_twice_is_two_payloads(store: MongoStore) -> None:
    for _ in range(2):
        store.append(CHAIN, [draft(payload=LARGE)])
    assert stored(store) == 2
    assert check_chain(store, []) == 2


def test_a_chosen_id_sent_again_is_a_replay_or_a_conflict_and_leaves_nothing_behind(store: MongoStore) -> None:
    (first,) = store.append(CHAIN, [draft("e", payload=LARGE)])
    for settled in (False, True):
        (again,) = store.append(CHAIN, [draft("e", payload=LARGE)])
        assert (again.event, again.replayed) == (first.event, True)
        for other in ({"text": "y" * APART_FROM}, {"n": 1}):
            with pytest.raises(IdConflictError):
                store.append(CHAIN, [draft("e", payload=other)])
        if not settled:
            store.settle(CHAIN)
    mixed = store.append(CHAIN, [draft("e", payload=LARGE), draft("f", payload=LARGE), draft("g")])
    assert [placed.replayed for placed in mixed] == [True, False, False]
    assert stored(store) == 2
    assert check_chain(store, [receipt(placed) for placed in (first, *mixed)]) == 3


def test_who_may_create_no_chain_leaves_no_payload(store: MongoStore) -> None:
    store.append_limited("a", [draft(chain="a", payload=LARGE)], new_chains=1)
    for event_id in (None, "chosen"):
        with pytest.raises(LimitError):
            store.append_limited("b", [draft(event_id, chain="b", payload=LARGE)], new_chains=1)
    assert stored(store) == 1


def test_group_commit_stores_the_payloads_of_all_callers_at_once(watched: Watched) -> None:
    store = MongoStore(watched, ORIGIN)
    drafts = [draft(payload=LARGE) for _ in range(6)]
    placed = GroupCommit(store.append).append(CHAIN, drafts)
    assert watched.steps["insert_bodies"] == 1
    assert check_chain(store, [receipt(one) for one in placed]) == 7


def test_with_no_threshold_nothing_is_stored_apart_and_all_is_read(client: Client, database: str) -> None:
    apart, inside = (MongoStore(Watched(client, database), ORIGIN, least) for least in (APART_FROM, 0))
    for number, store in enumerate((apart, inside, apart, inside)):
        store.append(CHAIN, [draft(f"e{number}", payload=LARGE)])
    assert stored(apart) == 2
    for store in (apart, inside):
        assert {event.entry.payload for event in store.page(Query(chain=CHAIN)).events} == {
            draft(payload=LARGE).entry.payload
        }
    assert check_chain(inside, []) == 4


def test_something_else_in_a_payload_s_place_is_refused(store: MongoStore) -> None:
    found = draft(payload=LARGE)
    (entry,) = bodies.put_apart([found.entry], APART_FROM)
    planted = codec.decode(bodies.encode_body(entry, 0)) | {"payload": "{}"}
    operations_of(store).bodies.rows.insert_one(RawBSONDocument(codec.encode(planted)))
    with pytest.raises(CorruptionError):
        store.append(CHAIN, [found])
    assert store.chain(CHAIN) is None or store.chain(CHAIN).state.size == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
@pytest.mark.parametrize("damage", ["removed", "altered", "swapped"])
def test_no_reader_takes_a_damaged_payload_and_the_audit_names_it(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, damage: str, settled: bool
) -> None:
    store.append(CHAIN, [draft()])
    events = [
        placed.event for n in "abc" for placed in store.append(CHAIN, [draft(n, payload={"text": n * APART_FROM})])
    ]
    if settled:
        store.settle(CHAIN)
    rows = operations_of(store).bodies.rows
    ids = {"_id": bodies.body_id(events[1].entry)}
    if damage == "removed":
        rows.delete_one(ids)
    else:
        payload = events[0].entry.payload if damage == "swapped" else '{"n":1}'
        rows.update_one(ids, {"$set": {"payload": payload}})
    monkeypatch.setattr(settle.Settler, "drain", lambda _: 0)  # the audit meets them as they are
    for read in (lambda: store.get(CHAIN, "b"), lambda: store.page(Query(chain=CHAIN))):
        with pytest.raises(CorruptionError, match="the payload of event b"):
            read()
    assert store.get(CHAIN, "a") == events[0]
    kind = "payload_missing" if damage == "removed" else "payload_mismatch"
    assert [(f.kind, f.seq) for f in audit(store).findings] == [(kind, 2)]


def test_a_payload_is_swept_only_if_it_is_old_and_no_event_has_it(store: MongoStore) -> None:
    store.append(CHAIN, [draft()])
    for settled in (True, False):
        used = put(store, draft(payload=LARGE), LONG_AGO)
        assert operations_of(store).push(CHAIN, [used.entry], None, LONG_AGO) is not None
        if settled:
            store.settle(CHAIN)
    put(store, draft(payload=LARGE), LONG_AGO)
    put(store, draft(chain="never", payload=LARGE), LONG_AGO)
    put(store, draft(payload=LARGE), int(time.time() * 1000))
    sweep = Sweep(operations_of(store))
    assert sweep.count(60) == (2, True)
    assert sweep.remove() == 1  # where there is no sequence document, nobody can tell
    assert sweep.count(60) == (1, True)
    assert stored(store) == 4
    assert check_chain(store, []) == 3
    assert sweep.remove() == 0


def test_a_push_that_comes_after_its_payload_was_swept_is_refused(store: MongoStore) -> None:
    store.append(CHAIN, [draft()])
    late = put(store, draft(payload=LARGE), LONG_AGO)
    assert Sweep(operations_of(store)).remove() == 1
    assert operations_of(store).push(CHAIN, [late.entry], None, LONG_AGO) is None
    store.append(CHAIN, [draft(payload=LARGE)])
    store.append(CHAIN, [draft()])
    assert check_chain(store, []) == 3


def test_a_process_whose_clock_is_far_behind_is_told_so(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(CHAIN, [draft()])
    put(store, draft(payload=LARGE), LONG_AGO)
    assert Sweep(operations_of(store)).remove() == 1
    behind = SimpleNamespace(time=lambda: LONG_AGO / 1000, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(append, "time", behind)
    with pytest.raises(StoreUnavailableError, match="clock"):
        store.append(CHAIN, [draft(payload=LARGE)])
    store.append(CHAIN, [draft()])


@pytest.mark.parametrize("pending", ["none", 5, [7, {"event_id": 1}]])
def test_a_damaged_sequence_document_stops_no_count_and_loses_no_payload(store: MongoStore, pending: Any) -> None:
    store.append(CHAIN, [draft()])
    put(store, draft(payload=LARGE), LONG_AGO)
    operations_of(store).sequences.update_one({"_id": CHAIN}, {"$set": {"pending": pending}})
    assert Sweep(operations_of(store)).count(60) == (1, True)
    assert Sweep(operations_of(store)).remove() == 0
