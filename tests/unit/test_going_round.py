"""One invocation of the schedule, without a database: what is audited at once, and in which order."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventlog.anchors.gathering import AT_ONCE, Gathering, Offer, Taken
from eventlog.anchors.registry import REGISTRY
from eventlog.audit.going_round import MANY, TOGETHER, GoingRound, RoundOutcome, RoundParts
from eventlog.audit.notices import Silence
from eventlog.audit.report import AuditReport, Mode, new_report
from eventlog.formats.pack import ObjectPlace
from eventlog.store.errors import StoreUnavailableError

Audit = Callable[[str], AuditReport | None]


class NoRounds:
    """No round is kept."""

    def find(self, _: Mode, *, own: bool = True) -> None:  # noqa: ARG002  as it is called
        return None

    def settle(self, found: Any) -> bool:
        return bool(found.is_done())


class NothingToResume:
    """No audit ran out of time."""

    def each(self, _: float) -> Iterator[AuditReport]:
        return iter(())


def intact(chain: str) -> AuditReport:
    return replace(new_report(chain, "incremental", 1), status="intact")


def go(
    count: int, audit: Audit, mode: Mode = "incremental", gathering: Gathering | None = None
) -> tuple[list[str], RoundOutcome, list[object]]:
    """A round over so many chains: those that were reported, what came of it, and what was done last."""
    names, done, outcome = [f"c{number:03}" for number in range(count)], list[object](), RoundOutcome()

    def audited(chain: str, *_: object) -> AuditReport | None:
        done.append(chain)
        return audit(chain)

    def commit(finished: bool) -> bool:
        done.append(finished)
        return False

    parts: Any = {"rounds": NoRounds(), "resuming": NothingToResume()}
    work = RoundParts(
        **parts,
        audit=audited,
        names=lambda: [*names, REGISTRY],
        prepare=lambda _: None,
        commit=commit,
        odd_rows=lambda _: None,
        gathering=gathering,
        notices=Silence(),
        clock=lambda: 1,
    )
    return [report.chain for report in GoingRound(work, mode, 60, outcome).each()], outcome, done


def test_of_many_chains_some_are_audited_at_once_and_reported_in_order() -> None:
    meeting = threading.Barrier(AT_ONCE, timeout=60)

    def meet(chain: str) -> AuditReport:
        if "c000" < chain <= f"c{AT_ONCE:03}":
            meeting.wait()
        return intact(chain)

    seen, outcome, done = go(MANY + AT_ONCE, meet)
    assert seen == [*sorted(seen[:-1]), REGISTRY]
    assert (len(seen), outcome.left, outcome.finished) == (MANY + AT_ONCE + 1, [], {"incremental"})
    assert done[-3:] == [True, REGISTRY, True], "the heads are committed to before the registry is audited, alone"


def test_where_anchors_are_packed_those_that_are_audited_together_are_anchored_at_once() -> None:
    puts = list[int]()

    def put(offers: Mapping[ObjectPlace, Offer]) -> Taken:
        puts.append(len(offers))
        return Taken(set(offers), set())

    gathering = Gathering(put, 60)

    def anchor(chain: str) -> AuditReport | None:
        if chain == "c002":
            raise StoreUnavailableError("gone")
        if chain == "c003":
            return None
        assert gathering.create((chain, "000000000001.claim"), Offer(b""))
        return intact(chain)

    with pytest.raises(StoreUnavailableError, match="gone"):
        go(TOGETHER + 11, anchor, gathering=gathering)
    assert puts == [1, TOGETHER - 2, 10, 1]


def test_few_chains_and_those_of_a_full_round_are_audited_one_by_one() -> None:
    for count, mode in ((MANY - 1, "incremental"), (MANY + AT_ONCE, "full")):
        threads: set[str] = set()

        def note(chain: str, threads: set[str] = threads) -> AuditReport:
            threads.add(threading.current_thread().name)
            return intact(chain)

        go(count, note, "full" if mode == "full" else "incremental")
        assert threads == {threading.current_thread().name}


def test_one_of_many_that_can_not_be_audited_keeps_no_other_from_it() -> None:
    seen: list[str] = []

    def fail(chain: str) -> AuditReport | None:
        seen.append(chain)
        if chain == "c010":
            raise StoreUnavailableError("gone")
        return None if chain == "c011" else intact(chain)

    with pytest.raises(StoreUnavailableError, match="gone"):
        go(MANY + AT_ONCE, fail)
    assert len(seen) == MANY + AT_ONCE + 1
