"""Group commit over a store that writes when it is told to: who goes with whom, and what each is told."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from eventlog.formats.event import ChainState
from eventlog.store import group_commit
from eventlog.store.errors import ChainLostError, CorruptionError, IdConflictError, StoreError, StoreUnavailableError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, Placed
from tests.support.coroutines import run
from tests.support.factories import draft

Outcomes = list[list[Placed] | BaseException]


class Store:
    """Appends for a test: each write waits for a permit, may fail, and is recorded."""

    def __init__(self) -> None:
        self.writes: list[list[str]] = []
        self.threads: list[int] = []
        self.failures: dict[int, BaseException] = {}
        self.taken: set[str] = set()
        self.permits = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self._states: dict[str, ChainState] = {}

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        number = len(self.writes)
        self.writes.append([d.entry.event_id for d in drafts])
        self.threads.append(threading.get_ident())
        self.began.release()
        assert self.permits.acquire(timeout=60)
        if failure := self.failures.get(number):
            raise failure
        if conflicts := [d.entry.event_id for d in drafts if d.entry.event_id in self.taken]:
            raise IdConflictError(conflicts)
        state = self._states.setdefault(chain, ChainState(0, bytes(32)))
        return [Placed(event, replayed=False) for event in state.extend(d.entry for d in drafts)]

    def permit(self, writes: int = 100) -> None:
        self.permits.release(writes)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def commits(store: Store) -> GroupCommit:
    return GroupCommit(store.append)


def made(count: int = 1) -> list[Draft]:
    return [draft() for _ in range(count)]


def ids(drafts: Iterable[Draft]) -> list[str]:
    return [d.entry.event_id for d in drafts]


def receipts(outcome: list[Placed] | BaseException) -> list[str]:
    assert isinstance(outcome, list), outcome
    return [placed.event.entry.event_id for placed in outcome]


async def begin(commits: GroupCommit, *appends: Sequence[Draft]) -> list[asyncio.Task[list[Placed]]]:
    """Let them queue in this order."""
    tasks = [asyncio.create_task(commits.append_async(drafts[0].entry.chain, drafts)) for drafts in appends]
    await asyncio.sleep(0)
    return tasks


def together(
    store: Store, commits: GroupCommit, first: Sequence[Draft], *others: Sequence[Draft], now: Callable[[], Any] = int
) -> Outcomes:
    """What each is told when the others come while the first is written; ``now`` is called before anything is."""

    async def scenario() -> Outcomes:
        tasks = await begin(commits, first)
        await asyncio.to_thread(store.began.acquire)
        tasks += await begin(commits, *others)
        now()
        store.permit()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run(scenario())


def test_a_caller_alone_writes_at_once_in_its_own_thread(store: Store, commits: GroupCommit) -> None:
    store.permit()
    for drafts in (made(), made(3), [draft("a")]):
        assert receipts(commits.append("main", drafts)) == ids(drafts)
        assert store.writes[-1] == ids(drafts)
    assert set(store.threads) == {threading.get_ident()}


def test_who_comes_during_a_write_goes_in_the_next_one_together_and_in_order(
    store: Store, commits: GroupCommit
) -> None:
    first, *others = made(), made(), made(3), made(2), made()
    outcomes = together(store, commits, first, *others)
    assert store.writes == [ids(first), [event_id for drafts in others for event_id in ids(drafts)]]
    assert [receipts(outcome) for outcome in outcomes] == [ids(drafts) for drafts in (first, *others)]


def test_callers_in_threads_are_combined_with_coroutines(store: Store, commits: GroupCommit) -> None:
    async def scenario() -> Outcomes:
        first = asyncio.create_task(asyncio.to_thread(commits.append, "main", made()))
        await asyncio.to_thread(store.began.acquire)
        others = await begin(commits, made(), made(2))
        store.permit()
        return await asyncio.gather(first, *others, return_exceptions=True)

    assert [len(receipts(outcome)) for outcome in run(scenario())] == [1, 1, 2]
    assert [len(write) for write in store.writes] == [1, 3]


def test_chosen_and_made_ids_never_go_in_one_write(store: Store, commits: GroupCommit) -> None:
    appends = [made(), made(), [draft("a")], made(), [draft("b"), draft()]]
    outcomes = together(store, commits, *appends)
    assert [receipts(outcome) for outcome in outcomes] == [ids(drafts) for drafts in appends]
    chosen = set(ids([*appends[2], *appends[4]]))
    assert all(chosen.issuperset(write) or chosen.isdisjoint(write) for write in store.writes)
    assert ids([*appends[1], *appends[3]]) in store.writes


def test_one_chain_does_not_wait_for_another(store: Store, commits: GroupCommit) -> None:
    async def scenario() -> Outcomes:
        await begin(commits, made())
        await asyncio.to_thread(store.began.acquire)
        (other,) = await begin(commits, [draft(chain="other")])
        await asyncio.to_thread(store.began.acquire)  # both are being written
        store.permit()
        return [await other]

    assert len(run(scenario())) == 1


def test_a_conflict_is_told_to_its_own_callers_and_the_others_are_written_without_them(
    store: Store, commits: GroupCommit
) -> None:
    store.taken = {"b", "d"}
    appends = [[draft("a")], [draft("b"), draft("b2")], [draft("c")], [draft("d")], [draft("e"), draft("f")]]
    good, bad, also_good, also_bad, last = together(store, commits, [draft("0")], *appends)[1:]
    assert isinstance(bad, IdConflictError)
    assert isinstance(also_bad, IdConflictError)
    assert (bad.ids, also_bad.ids) == (["b"], ["d"])
    assert [receipts(outcome) for outcome in (good, also_good, last)] == [["a"], ["c"], ["e", "f"]]
    assert store.writes == [["0"], ["a", "b", "b2", "c", "d", "e", "f"], ["a", "c", "e", "f"]]


def test_appends_with_an_id_in_common_go_in_writes_of_their_own(store: Store, commits: GroupCommit) -> None:
    appends = [[draft("a")], [draft("a")], [draft("b")], [draft("c"), draft("a")]]
    outcomes = together(store, commits, [draft("0")], *appends)
    assert store.writes == [["0"], ["a", "b"], ["a"], ["c", "a"]]
    assert [receipts(outcome) for outcome in outcomes[1:]] == [["a"], ["a"], ["b"], ["c", "a"]]


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("failure", [StoreUnavailableError("x"), ChainLostError("y"), CorruptionError("z")], ids=repr)
def test_a_failure_is_told_to_everyone_in_the_write_and_none_is_written_again(
    store: Store, commits: GroupCommit, failure: StoreError, chosen: bool
) -> None:
    store.failures[1] = failure
    appends = [[draft(f"id-{n}" if chosen else None)] for n in range(4)]
    fine, *failed = together(store, commits, *appends)
    assert receipts(fine) == ids(appends[0])
    assert [(type(error), str(error)) for error in failed] == [(type(failure), str(failure))] * 3
    assert len({id(error) for error in failed}) == 3
    assert len(store.writes) == 2
    assert len(commits.append("main", appends[0])) == 1  # and the chain goes on


@pytest.mark.parametrize(
    ("failure", "told"),
    [(KeyboardInterrupt(), StoreUnavailableError), (SystemExit(1), StoreUnavailableError), (TypeError(), TypeError)],
    ids=["interrupt", "exit", "bug"],
)
def test_whatever_ends_a_write_leaves_nobody_waiting(
    store: Store, commits: GroupCommit, failure: BaseException, told: type[Exception]
) -> None:
    store.failures[1] = failure
    appends = [[draft("0")], [draft("a")], [draft("b")], [draft("a")]]
    outcomes = together(store, commits, *appends)
    assert [type(outcome) for outcome in outcomes] == [list, told, told, list]


def test_an_interrupted_caller_is_interrupted_and_who_waits_for_it_is_written(
    store: Store, commits: GroupCommit
) -> None:
    store.failures[0] = KeyboardInterrupt()

    def interrupted() -> bool:
        with pytest.raises(KeyboardInterrupt):
            commits.append("main", made())
        return True

    async def scenario() -> Outcomes:
        first = asyncio.create_task(asyncio.to_thread(interrupted))
        await asyncio.to_thread(store.began.acquire)
        others = await begin(commits, made(), made())
        store.permit()
        assert await first
        return await asyncio.gather(*others, return_exceptions=True)

    assert [len(receipts(outcome)) for outcome in run(scenario())] == [1, 1]


def test_who_waits_too_long_for_a_turn_is_told_and_never_written(
    store: Store, commits: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "WAIT_SECONDS", 0.05)

    async def scenario() -> Outcomes:
        first = await begin(commits, made())
        await asyncio.to_thread(store.began.acquire)
        others = await begin(commits, made())
        others.append(asyncio.create_task(asyncio.to_thread(commits.append, "main", made())))
        late = await asyncio.gather(*others, return_exceptions=True)
        store.permit()  # the first one has waited as long by now, but it is being written
        return [*await asyncio.gather(*first), *late]

    fine, *late = run(scenario())
    assert isinstance(fine, list)
    assert [type(error) for error in late] == [StoreUnavailableError] * 2
    assert "nothing was stored" in str(late[0])
    assert len(commits.append("main", made())) == 1
    assert [len(write) for write in store.writes] == [1, 1]


def test_a_caller_that_went_away_is_not_written(store: Store, commits: GroupCommit) -> None:
    async def scenario() -> Outcomes:
        first, *_ = await begin(commits, made())
        await asyncio.to_thread(store.began.acquire)
        gone, stays = await begin(commits, made(), [last])
        gone.cancel()
        await asyncio.wait([gone])
        store.permit()
        return [await first, await stays]

    last = draft()
    assert len(run(scenario())) == 2
    assert store.writes[1:] == [ids([last])]


def test_a_write_has_its_bounds_and_nobody_overtakes_who_does_not_fit(store: Store, commits: GroupCommit) -> None:
    large = draft(payload={"x": "a" * group_commit.MAX_SIZE})
    appends = [made(300), made(200), made(1), made(500), made(1), [large], made(1)]
    outcomes = together(store, commits, made(), *appends)
    assert [receipts(outcome) for outcome in outcomes[1:]] == [ids(drafts) for drafts in appends]
    assert [len(write) for write in store.writes] == [1, 500, 1, 500, 1, 1, 1]


def test_a_thousand_waiters_are_served_in_their_order(store: Store, commits: GroupCommit) -> None:
    appends = [made() for _ in range(1001)]
    outcomes = together(store, commits, *appends)
    assert [receipts(outcome) for outcome in outcomes] == [ids(drafts) for drafts in appends]
    assert [len(write) for write in store.writes] == [1, 500, 500]
    assert [event_id for write in store.writes for event_id in write] == [ids(drafts)[0] for drafts in appends]


def test_when_no_thread_can_be_started_the_waiting_are_told(
    store: Store, commits: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after shutdown")

    fine, *told = together(
        store, commits, made(), made(), made(), now=lambda: monkeypatch.setattr(commits._writers, "submit", refuse)
    )
    assert isinstance(fine, list)
    assert [str(error) for error in told] == ["this process ends; nothing was stored"] * 2
    assert len(store.writes) == 1
    assert len(commits.append("main", made())) == 1
