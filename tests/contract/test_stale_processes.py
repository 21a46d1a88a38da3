"""What a living process remembers of a chain never makes it say more than the database does."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.store.mongo import settle
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PENDING_LIMIT
from eventlog.store.mongo.settle import Settler
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from tests.integration.writer import CHAIN, ORIGIN, Line, check_chain, named, receipt
from tests.support.factories import draft

Client = MongoClient[dict[str, Any]]


class Interrupted(Operations):
    """Something else happens once, right before a step."""

    before = ""
    act: Callable[[], object]

    def interrupt(self, before: str, act: Callable[[], object]) -> None:
        self.before, self.act = before, act

    def __getattribute__(self, name: str) -> Any:
        if name != "before" and name == self.before:
            self.before = ""
            self.act()
        return super().__getattribute__(name)


@pytest.fixture
def operations(client: Client, database: str) -> Interrupted:
    return Interrupted(client, database)


def drop(operations: Operations) -> None:
    operations.events.drop()
    operations.sequences.drop()


@pytest.mark.parametrize("event_id", [None, "a", "new"])
@pytest.mark.parametrize("recreated", [0, 1, 40], ids="recreated-{}".format)
def test_a_store_that_outlives_its_database_goes_on_with_what_is_there(
    store: MongoStore, client: Client, database: str, event_id: str | None, recreated: int
) -> None:
    for name in ("a", "b", "c"):
        store.append(CHAIN, [named(name)])
    drop(operations_of(store))
    other = open_log(client, database, ORIGIN)
    if recreated:
        other.append(CHAIN, [draft() for _ in range(recreated)])
    (placed,) = store.append(CHAIN, [draft(event_id)])
    assert (placed.event.seq, placed.replayed) == (recreated, False)
    assert check_chain(other, [receipt(placed)]) == recreated + 1


def test_an_id_is_in_a_recreated_chain_once_though_a_look_up_was_made_in_the_one_before(
    operations: Interrupted, client: Client, database: str
) -> None:
    store, other = MongoStore(operations, ORIGIN), open_log(client, database, ORIGIN)
    store.append(CHAIN, [named("a"), named("b"), named("c")])
    store.settle(CHAIN)
    store.append(CHAIN, [named("d")])

    def restore() -> None:
        drop(operations_of(other))
        other.append(CHAIN, [named("x")])
        other.settle(CHAIN)

    operations.interrupt("push", restore)
    (placed,) = store.append(CHAIN, [named("x")])
    assert (placed.event.seq, placed.replayed) == (0, True)


def test_a_settler_of_a_dropped_chain_does_not_trim_the_one_made_after_it(
    operations: Interrupted, client: Client, database: str
) -> None:
    store, other = MongoStore(operations, ORIGIN), open_log(client, database, ORIGIN)
    store.append(CHAIN, [named("a")])  # a chain's first push is settled at once, a small later one is not
    store.append(CHAIN, [named("b"), named("c")])

    def recreate() -> None:
        drop(operations_of(other))
        other.append(CHAIN, [named("w")])
        other.append(CHAIN, [named(name) for name in "xyz"])

    operations.interrupt("trim", recreate)
    store.settle(CHAIN)
    assert operations.before == "", "there was something to trim"
    other.settle(CHAIN)
    assert {name for name in "wxyz" if other.get(CHAIN, name)} == set("wxyz")


def test_stores_with_other_origins_extend_a_chain_of_the_first(client: Client, database: str) -> None:
    stores = [open_log(client, database, origin) for origin in (ORIGIN, "example.org/other")]
    placed = [p for n in range(12) for p in stores[n % 2].append(CHAIN, [draft(f"e{n}" if n % 3 else None)])]
    assert [p.event.seq for p in placed] == list(range(12))
    assert check_chain(stores[0], map(receipt, placed)) == 12


@pytest.mark.parametrize(("block", "overdue"), [(1, 99), (3, 8), (4, 8), (2, 4)])
def test_stores_with_warm_memories_race_for_the_same_ids(
    client: Client, database: str, monkeypatch: pytest.MonkeyPatch, *, block: int, overdue: int
) -> None:
    for name, value in (("BLOCK", block), ("OVERDUE", overdue)):
        monkeypatch.setattr(settle, name, value)
    stores = [open_log(client, database, ORIGIN) for _ in range(4)]
    found: list[Any] = []

    def work(number: int) -> None:
        store = stores[number % len(stores)]
        for n in range(12):
            found.extend(store.append(CHAIN, [draft(f"own-{number}-{n}")]))  # warms the memory, with ids
            found.extend(store.append(CHAIN, [named(f"shared-{n}"), named(f"shared-{n + 1}")]))
            if n % 4 == number % 4:
                found.extend(store.append(CHAIN, [draft() for _ in range(5)]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 * (12 + 24 + 15)
    first = Counter(p.event.entry.event_id for p in found if not p.replayed)
    assert max(first.values()) == 1
    assert check_chain(stores[0], map(receipt, found)) == 8 * (12 + 15) + 13


@pytest.mark.parametrize("chosen", [False, True], ids=["made-id", "chosen-id"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_an_append_to_a_full_chain_gets_through(store: MongoStore, chosen: bool, warm: bool) -> None:
    receipts = [receipt(p) for p in store.append(CHAIN, [draft("known")])]
    large = {"payload": {"text": "x" * (PENDING_LIMIT // 4)}}
    pushed = [draft(f"large-{n}", **large).entry for n in range(4)]
    if warm:
        receipts += [receipt(p) for p in store.append(CHAIN, [draft("warm" if chosen else None)])]
    assert operations_of(store).push(CHAIN, pushed, None) is not None
    receipts += [receipt(p) for p in store.append(CHAIN, [draft("new" if chosen else None)])]
    assert check_chain(store, receipts) == len(receipts) + 4


def test_others_go_on_while_a_settler_stops_between_insert_and_trim(
    operations: Interrupted, client: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BLOCK", 4), ("OVERDUE", 16)):
        monkeypatch.setattr(settle, name, value)
    store, other = MongoStore(operations, ORIGIN), open_log(client, database, ORIGIN)
    receipts: list[Line] = []

    def go_on() -> None:
        for number in range(50):
            receipts.extend(map(receipt, other.append(CHAIN, [draft(f"o{len(receipts)}" if number % 2 else None)])))
            if number % 7 == 0:
                receipts.extend(map(receipt, other.append(CHAIN, [draft() for _ in range(7)])))

    for step in ("trim", "trim_all", "insert", "read_pending", "read_hashes"):
        operations.interrupt(step, go_on)
        for number in range(5):
            count = 6 if step == "trim_all" else 1
            receipts += [receipt(p) for p in store.append(CHAIN, [draft(f"{step}-{number}-{n}") for n in range(count)])]
        operations.before = ""
    assert len({r["id"] for r in receipts}) == len(receipts)
    assert check_chain(store, receipts) == len(receipts)


def test_a_mixture_of_small_and_large_pushes_leaves_no_more_pending_than_small_ones(store: MongoStore) -> None:
    waiting = []
    for _ in range(24):
        store.append(CHAIN, [draft()])
        store.append(CHAIN, [draft() for _ in range(settle.BLOCK)])
        image = operations_of(store).read_sequence(CHAIN)
        assert image is not None
        waiting.append(len(image.pending))
    assert max(waiting) < 2 * settle.BLOCK


def test_settling_ends_though_majority_reads_lag_behind_its_trims(
    operations: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoStore(operations, ORIGIN)
    store.append(CHAIN, [named("a"), named("b")])
    stale, reads = operations.read_sequence(CHAIN), 0

    def lagging(chain: str, session: Any = None) -> Any:
        nonlocal reads
        reads += 1
        assert session is not None or reads < 50, "nothing bounds how often it settles the same again"
        return stale if session is None else Operations.read_sequence(operations, chain, session)

    monkeypatch.setattr(operations, "read_sequence", lagging)
    assert Settler(operations, CHAIN).drain() == 2
