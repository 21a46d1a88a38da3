"""A log on a sharded cluster: a chain whose events are on both shards, and whose pushes go to the second one.

What is held back here is a real push to a real shard, which arrives when its writer has been told long ago.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface import Placed, Query
from eventlog.store.mongo import append, push
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PushImage, UnknownOutcomeError
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from tests.integration.writer import CHAIN, ORIGIN, check_chain, receipt
from tests.support.clocks import Clock
from tests.support.factories import draft
from tests.support.sharded.cluster import ShardedCluster
from tests.support.sharded.holding import Holding

Client = MongoClient[dict[str, Any]]
SPLIT = 3
"""Events from this one on are on the second shard."""


@pytest.fixture(scope="module")
def router(cluster: ShardedCluster) -> Iterator[Client]:
    with connect(cluster.uri) as client:
        yield client


@pytest.fixture(scope="module")
def name_database(cluster: ShardedCluster, router: Client) -> Callable[[], str]:
    """Makes a database that is spread over both shards."""
    numbers = iter(range(100))

    def make() -> str:
        name = f"test_{next(numbers)}"
        cluster.spread(router, name, CHAIN, SPLIT)
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
    assert check_chain(store, map(receipt, known)) == len(known)


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
    monkeypatch.setattr(push, "_PUSH_MS", 300)
    told = threading.Event()
    real = Operations.push

    def watched(*args: Any) -> PushImage | None:
        try:
            return real(*args)
        except UnknownOutcomeError:
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
