"""Group commit over a real MongoDB: how many round trips it makes, and that every receipt is true."""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.store.errors import IdConflictError, StoreUnavailableError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Placed
from eventlog.store.mongo import append
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import UnknownOutcomeError
from eventlog.store.mongo.store import MongoStore
from tests.integration.writer import CHAIN, ORIGIN, STEPS, check_chain, receipt
from tests.support.coroutines import run
from tests.support.factories import draft

Outcomes = list[list[Placed] | BaseException]


class Watched(Operations):
    """Operations that count their steps; the first push can be held up, and one can fail."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str) -> None:
        super().__init__(client, database)
        self.steps: Counter[str] = Counter()
        self.pushed: list[str] = []
        self.hold = False
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.fault: tuple[str, UnknownOutcomeError] | None = None

    def __getattribute__(self, name: str) -> Any:
        if name in STEPS:
            self.steps[name] += 1
        return super().__getattribute__(name)

    def push(self, chain: str, entries: Any, bound: int | None, *stored_at: Any) -> Any:
        self.pushed += [entry.event_id for entry in entries]
        if self.hold:
            self.hold = False
            self.held.set()
            assert self.go_on.wait(60)
        elif self.fault:
            (how, error), self.fault = self.fault, None
            if how == "applied":
                super().push(chain, entries, bound, *stored_at)
            raise error
        return super().push(chain, entries, bound, *stored_at)


@pytest.fixture
def operations(client: MongoClient[dict[str, Any]], database: str, store: MongoStore) -> Watched:
    store.append(CHAIN, [draft("known")])
    return Watched(client, database)


@pytest.fixture
def commits(operations: Watched) -> GroupCommit:
    return GroupCommit(MongoStore(operations, ORIGIN).append)


def together(operations: Watched, commits: GroupCommit, first: Sequence[Draft], *others: Sequence[Draft]) -> Outcomes:
    """What each is told when the others come while the first one's push is under way."""

    async def scenario() -> Outcomes:
        operations.hold = True
        tasks = [asyncio.create_task(commits.append_async(CHAIN, first))]
        await asyncio.to_thread(operations.held.wait, 20)
        tasks += [asyncio.create_task(commits.append_async(CHAIN, drafts)) for drafts in others]
        await asyncio.sleep(0)
        operations.go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run(scenario())


def placed(outcomes: Outcomes) -> list[Placed]:
    return [item for outcome in outcomes if isinstance(outcome, list) for item in outcome]


@pytest.mark.parametrize("chosen", [False, True], ids=["made-id", "chosen-id"])
def test_32_appends_at_once_take_two_pushes(
    store: MongoStore, operations: Watched, commits: GroupCommit, chosen: bool
) -> None:
    appends = [[draft(f"id-{n}-{i}" if chosen else None) for i in range(1 + n % 3)] for n in range(32)]
    operations.steps.clear()
    outcomes = together(operations, commits, *appends)
    looks = (operations.steps["read_sequence"], operations.steps["any_settled"])
    assert (operations.steps["push"], *looks) == (2, int(chosen), int(chosen))
    assert [[p.event.entry for p in outcome] for outcome in outcomes if isinstance(outcome, list)] == [
        [d.entry for d in drafts] for drafts in appends
    ]
    assert [p.event.seq for p in placed(outcomes)] == list(range(1, 1 + sum(map(len, appends))))
    store.settle(CHAIN)
    check_chain(store, map(receipt, placed(outcomes)))


@pytest.mark.parametrize("event_id", [None, "new", "known"])
def test_a_caller_alone_makes_the_round_trips_it_made_without(
    client: MongoClient[dict[str, Any]], database: str, event_id: str | None
) -> None:
    def steps(combined: bool) -> Counter[str]:
        watched = Watched(client, f"{database}_{combined}")
        store = MongoStore(watched, ORIGIN)
        store.append(CHAIN, [draft("known")])
        store.settle(CHAIN)
        watched.steps.clear()
        (GroupCommit(store.append) if combined else store).append(CHAIN, [draft(event_id)])
        client.drop_database(f"{database}_{combined}")
        return watched.steps

    assert steps(combined=True) == steps(combined=False)


def test_the_same_id_twice_at_once_is_a_replay_or_a_conflict_of_the_later_one(
    store: MongoStore, operations: Watched, commits: GroupCommit
) -> None:
    other = {"payload": {"n": 2}}
    appends = [[draft("a")], [draft("b")], [draft("a")], [draft("a", **other), draft("c")], [draft("known")]]
    outcomes = together(operations, commits, [draft("first")], *appends)
    refused = outcomes.pop(4)
    assert isinstance(refused, IdConflictError)
    assert refused.ids == ["a"]
    _, first, b, again, known = placed(outcomes)
    assert (first.replayed, b.replayed, again.replayed, known.replayed) == (False, False, True, True)
    assert again.event == first.event
    assert store.get(CHAIN, "c") is None
    store.settle(CHAIN)
    assert check_chain(store, map(receipt, placed(outcomes))) == 4


@pytest.mark.parametrize("chosen", [False, True], ids=["made-id", "chosen-id"])
@pytest.mark.parametrize("in_flight", [False, True])
@pytest.mark.parametrize("how", ["applied", "not-applied"])
def test_a_write_of_many_with_an_unknown_outcome_doubles_nothing(
    store: MongoStore,
    operations: Watched,
    commits: GroupCommit,
    monkeypatch: pytest.MonkeyPatch,
    *,
    how: str,
    in_flight: bool,
    chosen: bool,
) -> None:
    lost = how == "not-applied" and in_flight and not chosen
    if lost:  # else a slow machine gives up as well
        monkeypatch.setattr(append, "_DEADLINE_SECONDS", 0.3)
    operations.fault = how, UnknownOutcomeError(in_flight=in_flight)
    appends = [[draft(f"id-{n}" if chosen else None)] for n in range(8)]
    first, *others = together(operations, commits, *appends)
    assert isinstance(first, list)
    assert [type(outcome) for outcome in others] == [StoreUnavailableError if lost else list] * 7
    if in_flight and not chosen:
        assert max(Counter(operations.pushed).values()) == 1
    store.settle(CHAIN)
    size = check_chain(store, map(receipt, placed([first, *others])))
    assert size == (2 if lost else 9)


def test_32_threads_appending_through_one_combiner(
    store: MongoStore, operations: Watched, commits: GroupCommit
) -> None:
    found: list[Placed] = []

    def work(number: int) -> None:
        for n in range(10):
            drafts = [draft(f"{number}-{n}" if number % 2 else None), draft()]
            found.extend(commits.append(CHAIN, drafts))
            found.extend(commits.append(CHAIN, [draft("shared")]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32 * 10 * 3
    store.settle(CHAIN)
    assert check_chain(store, map(receipt, found)) == 1 + 32 * 10 * 2 + 1
    assert operations.steps["push"] < 32 * 10
