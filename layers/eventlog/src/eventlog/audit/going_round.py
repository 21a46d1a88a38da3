"""One invocation of the schedule: it goes on with what earlier ones have left, then over every chain.

It stops at its deadline, and the next one begins with the chains that have waited longest. Whatever one chain or report
holds, the others are audited.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from eventlog.anchors.gathering import AT_ONCE, MOST, Gathering, Taken
from eventlog.anchors.registry import REGISTRY
from eventlog.audit.notices import Notices
from eventlog.audit.report import AuditReport, Mode
from eventlog.audit.resuming import NOT_RESUMED, Resuming
from eventlog.audit.round import NAMES, Round, encode_round, new_round
from eventlog.audit.rounds import Rounds
from eventlog.store.errors import CredentialsRefusedError, StoreError, StoreUnavailableError

TOGETHER = MOST
"""How many of them are made ready together, before they are audited. Where anchors are packed they wait for each other
before they are anchored, so that their anchors become one pack."""
MANY = 40
"""So many chains, and more, are audited some at once: more than the idle ones that each round looks at."""
AuditOne = Callable[[str, Mode, float], AuditReport | None]
"""Audits a chain in a mode until a time of the monotonic clock; None: there is no such chain."""
_Outcome = AuditReport | StoreUnavailableError | None


@dataclass(slots=True)
class RoundOutcome:
    """What an invocation has brought about."""

    finished: set[Mode] = field(default_factory=set)
    """The modes in which a round over all chains was finished."""

    left: list[str] = field(default_factory=list)
    """The chains that its round still has to audit, without those whose audits have begun and are to be resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundParts:
    """What an invocation works with.

    ``names`` lists the chains that have to be audited, the registry last. ``prepare`` does for all of some chains at
    once what each audit would do for its own first; without it they do. ``commit`` commits to the heads of all in the
    registry, given whether every chain has been audited, and returns whether it did: the registry is audited and
    anchored after that. ``odd_rows`` reports rows that are in no chain. ``gathering`` puts the anchors
    of chains that are audited together into one pack; None: each is an object of its own.
    """

    rounds: Rounds
    resuming: Resuming
    audit: AuditOne
    names: Callable[[], list[str]]
    prepare: Callable[[Sequence[str]], None]
    commit: Callable[[bool], bool]
    odd_rows: Callable[[Mode], AuditReport | None]
    gathering: Gathering | None
    notices: Notices
    clock: Callable[[], int]


class GoingRound:
    """One invocation in ``mode`` that has ``seconds``; ``outcome`` is filled in when it is over.

    ``concludes``: the id of the round that others have shared, after which it begins no other one; empty: of none.
    """

    def __init__(
        self, work: RoundParts, mode: Mode, seconds: float, outcome: RoundOutcome, *, concludes: str = ""
    ) -> None:
        self._work = work
        self._mode: Mode = mode
        self._seconds = seconds
        self._outcome = outcome
        self._concludes = concludes
        self._began = time.monotonic()
        self._until = self._began + seconds
        self._open: dict[Mode, Round] = {}
        self._as_found: list[bytes] = []
        self._audited = False
        self._gathering = work.gathering or Gathering(lambda offers: Taken(set(), set(offers)))
        self._failed: StoreUnavailableError | None = None

    def each(self) -> Iterator[AuditReport]:
        """Do the work; yield each report as soon as it is there.

        Raises:
            CredentialsRefusedError: the database refuses the password.
            StoreUnavailableError: a chain could not be audited; raised when all others were.
        """
        # Rounds of both modes are open: what is resumed may be of either, and counts for its own. However this ends
        # (the caller stops asking, the database fails), what was audited until then counts, so it is stored on the way
        # out.
        self._open = {mode: found for mode in NAMES if (found := self._work.rounds.find(mode, own=mode == self._mode))}
        self._as_found = [encode_round(found) for found in self._open.values()]
        try:
            for report in self._reports():
                for found in self._open.values():
                    found.count(report)
                yield report
        finally:
            for found in self._open.values():
                self._settle(found)
            if self._mode in self._open:
                self._outcome.left = self._open[self._mode].left
        if self._failed:
            raise self._failed

    def _reports(self) -> Iterator[AuditReport]:
        # Audits that ran out of time get half of it, so that one of a huge chain can't starve all other chains.
        yield from self._caught(lambda: self._work.resuming.each(self._seconds / 2), NOT_RESUMED)
        yield from self._caught(self._odd_rows, "rows that belong to no chain could not be looked for")
        before = self._open.get(self._mode)
        if before is not None:
            yield from self._audits(before, self._until)
        if self._may_begin(before):
            if before is not None:
                self._settle(before)
            begun = new_round(self._mode, self._work.names(), self._work.clock())
            self._open[self._mode] = begun
            yield from self._audits(begun, self._until)
        # If there was no time left for the registry, what was anchored until now is committed to all the same.
        if self._mode == "incremental" and self._work.commit(self._open[self._mode].is_done()):
            yield from self._report(REGISTRY, self._outcome_of(REGISTRY, "incremental", self._until), None)
        # The chains that a full round had no time for don't wait for the next day. It is a small part of the time, so
        # that the next incremental round is not late.
        if self._mode == "incremental" and (full := self._open.get("full")):
            yield from self._audits(full, min(self._until, self._began + self._seconds / 10))

    def _odd_rows(self) -> Iterator[AuditReport]:
        if rows := self._work.odd_rows(self._mode):
            yield rows

    def _may_begin(self, before: Round | None) -> bool:
        """Whether to begin a new round, once all chains of the one before have had their turn.

        What was not fully checked then is taken up by the new one. A full round waits for audits that are to be
        resumed, or those of a huge chain would never be in one round with the others. After the one that others have
        just shared none begins: it would do alone what they have done. Any other, which may be a day old, or is what
        somebody has put back, keeps nothing from beginning.
        """
        if self._concludes and (
            self._work.rounds.is_finished(self._concludes) if before is None else before.round_id == self._concludes
        ):
            return False
        if before is None:
            return True
        out_of_time = self._audited and time.monotonic() >= self._until
        return not out_of_time and (self._mode == "incremental" or not self._work.rounds.is_patient(before))

    def _audits(self, found: Round, until: float) -> Iterator[AuditReport]:
        """Audit the chains that are left, until time is up; of the invocation's first one at least a step.

        Of very many that have grown some are audited at once: such an audit mostly waits for the database, the anchors
        and the key. A full audit has processes of its own, and the registry comes alone, after all others.
        """
        waiting = deque(found.left)
        are_many = found.mode == "incremental" and len(waiting) > MANY
        # None is started before it is needed. What is to get into one pack has to come to its anchor at one time.
        threads, left_midway = ThreadPoolExecutor(TOGETHER if self._work.gathering else AT_ONCE), False
        try:
            while waiting:
                if self._audited and time.monotonic() >= until:
                    return
                count = min(TOGETHER, len(waiting) - 1) if are_many and self._audited else 1
                chains = [waiting.popleft() for _ in range(max(1, count))]
                if REGISTRY in chains and found.mode == "incremental":  # so that its anchor covers the commitment
                    self._work.commit(not found.begun and found.left == [REGISTRY])
                self._work.prepare(chains if count > 1 else [])
                at_least, self._audited = not self._audited, True
                with self._gathering.expecting(len(chains)) as is_over:
                    work = partial(self._audit, mode=found.mode, until=until, at_least=at_least, is_over=is_over)
                    done = threads.map(work, chains) if count > 1 else map(work, chains)
                    for chain, outcomes in zip(chains, done, strict=True):
                        for outcome in outcomes:
                            yield from self._report(chain, outcome, found)
        except GeneratorExit:  # perhaps by the garbage collector, in a thread that must not wait for others
            left_midway = True
            raise
        finally:
            threads.shutdown(wait=not left_midway, cancel_futures=True)

    def _audit(
        self, chain: str, mode: Mode, until: float, *, at_least: bool, is_over: Callable[[], None]
    ) -> list[_Outcome]:
        """Audit one chain; what came of it, or nothing if time is up. ``at_least``: it is begun all the same."""
        try:
            if not at_least and time.monotonic() >= until:
                return []
            with self._gathering.working():
                return [self._outcome_of(chain, mode, until)]
        finally:
            is_over()

    def _outcome_of(self, chain: str, mode: Mode, until: float) -> _Outcome:
        """Audit one chain; return its report, None if there is no such chain, or what keeps it from being audited."""
        try:
            return self._work.audit(chain, mode, until)
        except CredentialsRefusedError:
            raise
        except StoreUnavailableError as error:  # what is stored of one chain may cause it
            return error

    def _report(self, chain: str, done: _Outcome, found: Round | None) -> Iterator[AuditReport]:
        """Yield the report of a chain; one that does not exist is skipped in the round, and an error is told."""
        if isinstance(done, StoreUnavailableError):
            self._work.notices.failed("a chain could not be audited", chain, done)
            self._failed = self._failed or done
        elif done is not None:
            yield done
        elif found is not None:
            found.skip(chain)

    def _caught(self, work: Callable[[], Iterator[AuditReport]], what: str) -> Iterator[AuditReport]:
        """Do a part of the work that must not keep the chains from being audited."""
        try:
            yield from work()
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._work.notices.failed(what, "", error)

    def _settle(self, found: Round) -> None:
        if encode_round(found) not in self._as_found and self._work.rounds.settle(found):
            self._outcome.finished.add(found.mode)
