"""A log on a sharded cluster: a chain whose events are on both shards, and whose pushes go to the second one.

What is held back here is a real push to a real shard, which arrives when its writer has been told long ago.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from bson import MaxKey
from pymongo import MongoClient

from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import StoreUnavailableError, TooManyEventsError
from eventlog.store.interface import Placed, Query
from eventlog.store.interface.counts import Buckets
from eventlog.store.mongo import append, counts, driver_errors, operations
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.counts import EventCounter
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PUSH_SECONDS, PushImage, UnknownOutcomeError
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from tests.integration.writer import CHAIN, ORIGIN, Writer, check_chain, named, receipt
from tests.support.clocks import Clock
from tests.support.factories import draft
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.holding import Holding
from tests.support.sharded.placing import move, move_sequence, spread
from tests.support.sharded.router import Router

Client = MongoClient[dict[str, Any]]
SPLIT = 3
"""Events from this one on are on the second shard."""


@pytest.fixture(scope="module")
def router(cluster: ShardedCluster) -> Iterator[Client]:
    with connect(cluster.uri) as client:
        yield client


@pytest.fixture(scope="module")
def name_database(router: Client) -> Callable[[], str]:
    """Makes a database that is spread over both shards."""
    numbers = iter(range(100))

    def make() -> str:
        name = f"test_{next(numbers)}"
        spread(router, name, CHAIN, SPLIT)
        return name

    return make


@pytest.fixture
def database(name_database: Callable[[], str]) -> str:
    return name_database()


@pytest.fixture
def store(router: Client, database: str) -> MongoStore:
    return MongoStore(Operations(router, database), ORIGIN)


@pytest.fixture
def known(store: MongoStore) -> list[Placed]:
    """Events on either shard, and some that are pending."""
    placed = [store.append(CHAIN, [draft(f"e{number}")])[0] for number in range(2 * SPLIT)]
    store.settle(CHAIN)
    return placed + [store.append(CHAIN, [draft()])[0] for _ in range(2)]


def stored(store: MongoStore, event_id: str) -> int:
    store.settle(CHAIN)
    return operations_of(store).events.count_documents({"chain": CHAIN, "event_id": event_id})


def test_what_was_appended_is_read_from_both_shards_in_order(
    cluster: ShardedCluster, database: str, store: MongoStore, known: list[Placed]
) -> None:
    on_shards = {}
    for name, shard in cluster.shards.items():
        with shard.client() as client:
            on_shards[name] = client[database]["events"].count_documents({})
    assert on_shards == {"sh0": SPLIT, "sh1": SPLIT}
    some = NameFilter.of(["user.*"])
    for query in (
        Query(chain=CHAIN),
        Query(chain=CHAIN, event_types=some),
        Query(chain=CHAIN, sort="seq", order="asc"),
    ):
        page = store.page(query)
        assert sorted(event.seq for event in page.events) == [placed.event.seq for placed in known]
    assert store.append(CHAIN, [draft("e1"), draft("e5")])[1].replayed
    assert AuditStore(store).chain_names() == operations_of(store).events.distinct("chain") == [CHAIN]
    assert check_chain(store, map(receipt, known)) == len(known)


def test_a_page_that_takes_several_answers_is_read_from_one_of_several_routers(
    cluster: ShardedCluster, router: Client, database: str
) -> None:
    """A cursor is known to the router that opened it alone; one answer has 16 MiB at most."""
    inline = MongoStore(Operations(router, database), ORIGIN, apart_from=0)
    for _ in range(20):
        inline.append(CHAIN, [draft(payload={"text": "x" * (200 << 10)}) for _ in range(5)])
        inline.settle(CHAIN)
    query = Query(chain=CHAIN, sort="seq", order="asc", limit=100, max_bytes=1 << 30)
    with Router(*cluster.servers) as other:
        both = f"{cluster.uri.rstrip('/')},{urlsplit(other.uri).netloc}/"
        with connect(both) as client:
            two = MongoStore(Operations(client, database), ORIGIN)
            for _ in range(5):  # each command goes to any of them
                assert [event.seq for event in two.page(query).events] == list(range(100))
                assert len(two.texts(query).events) == 100


def test_statistics_are_grouped_on_the_shards(
    cluster: ShardedCluster, database: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 60
    for _ in range(2):
        store.append(CHAIN, [draft(event_type=f"t{number % 2}") for number in range(count // 2)])
        store.settle(CHAIN)
    buckets = Buckets(chain=CHAIN, start=1_600_000_000_000, end=1_800_000_000_000, width=86_400_000, by="event_type")
    with ExitStack() as stack:
        shards = [stack.enter_context(shard.client())[database] for shard in cluster.shards.values()]
        for shard in shards:
            shard.command("profile", 2)
        # A chain that is short enough, and one that is longer than may be counted, of which as many are asked for.
        for most in (count, count - 1):
            monkeypatch.setattr(counts, "MAX_COUNTED", most)
            if most == count:
                found = EventCounter(store).count(buckets, 5)
                assert {name: each.total() for name, each in found.by_value.items()} == {"t0": 30, "t1": 30}
            else:
                with pytest.raises(TooManyEventsError, match="more than 59 events"):
                    EventCounter(store).count(buckets, 5)
                part = replace(buckets, event_types=NameFilter.of(["t1"]))
                assert EventCounter(store).count(part, 5).all.total() == 30
        for shard in shards:
            shard.command("profile", 0)
        sent = [each for shard in shards for each in shard["system.profile"].find({"ns": f"{database}.events"})]
    rows = [each["nreturned"] for each in sent if {"aggregate", "getMore"} & each["command"].keys()]
    assert max(rows) == 2  # one for a type, however many events have it
    assert {each["docsExamined"] for each in sent} == {0}
    assert max(each["keysExamined"] for each in sent) <= count + 2


def test_a_push_that_comes_after_the_router_has_given_up_is_in_once(
    cluster: ShardedCluster,
    database: str,
    store: MongoStore,
    known: list[Placed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(append, "time", Clock())
    new = draft()
    host, _, port = cluster.uri.removeprefix("mongodb://").strip("/").partition(":")
    with Holding((host, int(port))) as holding, connect(holding.uri) as client:
        waiting = MongoStore(Operations(client, database), ORIGIN)
        holding.hold()
        with suppress(StoreUnavailableError):
            known += waiting.append(CHAIN, [new])
        early = stored(store, new.entry.event_id)
        assert holding.deliver()["ok"] == 1
    assert (early, stored(store, new.entry.event_id)) == (0, 1)
    others = store.append(CHAIN, [draft()])
    assert check_chain(store, map(receipt, known + others)) == len(known) + 2


def test_a_push_to_a_shard_that_is_frozen_is_in_once_when_it_goes_on(
    cluster: ShardedCluster,
    store: MongoStore,
    known: list[Placed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operations, "PUSH_SECONDS", 0.3)
    told = threading.Event()
    real = Operations.push

    def watched(*args: Any) -> PushImage | None:
        try:
            return real(*args)
        except UnknownOutcomeError:
            monkeypatch.setattr(operations, "PUSH_SECONDS", PUSH_SECONDS)  # as it goes on now
            told.set()
            raise

    monkeypatch.setattr(Operations, "push", watched)
    new = draft()
    with ThreadPoolExecutor(1) as pool:
        with cluster.shards["sh1"].frozen():
            appending = pool.submit(store.append, CHAIN, [new])
            assert told.wait(30), "the router has not given up"
        (placed,) = appending.result(60)  # it goes on, and the push is found
    assert placed.event.entry == new.entry
    assert stored(store, new.entry.event_id) == 1
    assert check_chain(store, map(receipt, [*known, placed])) == len(known) + 1


@pytest.mark.usefixtures("known")
def test_a_silent_shard_keeps_nobody_waiting_and_no_chain_that_is_on_another(
    cluster: ShardedCluster, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before "main" is on the first shard, events and sequence."""
    near = [store.append("before", [draft(f"e{number}", chain="before")])[0] for number in range(3)]
    store.settle("before")
    calls: list[Callable[[], object]] = [
        lambda: store.append(CHAIN, [draft()]),
        lambda: store.append(CHAIN, [draft("new")]),
        lambda: store.get(CHAIN, "e1"),
        lambda: store.page(Query(chain=CHAIN)),
        lambda: store.chain(CHAIN),
        lambda: store.chains("", 10),
    ]
    # The driver tries again for as long as a router is silent, which without a limit here is 28 s for each read.
    monkeypatch.setattr(driver_errors, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(append, "_DEADLINE_SECONDS", 0.6)
    monkeypatch.setattr(operations, "PUSH_SECONDS", 0.3)
    seconds = []
    with cluster.shards["sh1"].frozen():
        for call in calls:
            begun = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                call()
            seconds.append(time.monotonic() - begun)
        monkeypatch.undo()
        assert store.append("before", [draft("e0", chain="before")])[0].event == near[0].event
        assert store.append("before", [draft("chosen", chain="before")])[0].event.seq == len(near)
        assert store.get("before", "e2") == near[2].event
        assert [event.seq for event in store.page(Query(chain="before", order="asc")).events] == [0, 1, 2, 3]
    assert max(seconds) < 10


def test_ranges_that_move_and_a_shard_that_is_killed_lose_and_double_nothing(
    cluster: ShardedCluster, router: Client, database: str, store: MongoStore, tmp_path: Path
) -> None:
    """Writers go on meanwhile. Those whose ids are made give up what the end of a shard has left open."""
    writers = [Writer(cluster.uri, database, f"w{n}", tmp_path, chosen=n == 0, batch=1 + n) for n in range(2)]
    for writer in writers:
        writer.go()
    for shard in ("sh0", "sh1"):
        for writer in writers:
            writer.wait_for(5)
        move_sequence(router, database, CHAIN, shard)
        low, high = {"chain": CHAIN, "seq": SPLIT}, {"chain": MaxKey(), "seq": MaxKey()}
        move(router, f"{database}.events", low, high, shard)
    for writer in writers:
        writer.wait_for(5)
    cluster.shards["sh1"].kill()
    cluster.shards["sh1"].start()
    writers[0].wait_for(5)
    for writer in writers:
        writer.stop()
    assert [writer.failures() for writer in writers] == [[]] * len(writers)
    receipts = [given for writer in writers for given in writer.receipts()]
    tried = [ids for writer in writers for ids in writer.tried()]
    again = [receipt(p) for ids in tried for p in store.append(CHAIN, [named(event_id) for event_id in ids])]
    assert len({given["id"] for given in receipts}) == len(receipts) >= 2 * 15
    check_chain(store, receipts + again)
