"""The random walk of audits and anchors: a seed decides what happens next, and what fails, so each run can be repeated.

One run: a log of a few chains, two or three auditors, warm ones that go on with what they remember and cold ones that
are new each time, some of which pack anchors. Each step is one of: an append; a new chain; time that passes; an audit,
which may die at any command, lose an answer, run out of time, or take turns with another one; a backup; a restore that
is declared, or is not; tampering. In the end all audits are let go, and one full round must say what there is to say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

from eventlog.anchors.keys import note_key
from eventlog.audit import going_round, scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport, Mode
from eventlog.chain_names import REGISTRY
from eventlog.errors import InvalidError, NotFoundError
from eventlog.store.errors import StoreError
from eventlog.store.mongo.store import MongoStore
from tests.model.audit_processes import DeathError, Fault, Process, Turns, What
from tests.model.audited_log import Rows, WalkedLog
from tests.model.invariants import ViolationError
from tests.model.tampering import ANCHORS, EVENTS, HARMLESS, Expected, Kind, Tamperer
from tests.support.anchored import HOUR
from tests.support.auditors import Recorder

CHAINS = "abcd"
STEP = 8
"""Events in a step of an audit, so that some take several and run out of time in between."""
WHATS: tuple[What, ...] = ("command", "command", "creation", "pack", "signature", "report")
SAME: tuple[What, ...] = ("signature", "report")
"""What is the same with packs and without."""


class Rates(NamedTuple):
    """How likely each thing is in this run."""

    fault: float
    at_once: float
    late: float
    restore: float
    undeclared: float
    tampering: float

    @classmethod
    def draw(cls, rng: Random, *, same: bool) -> "Rates":
        """Two of three runs are of an honest log, however wild; where two are to be the same, something is to be found.

        With packs there are other commands than without, between which others would be at work.
        """
        wild = rng.random() < 0.33 or same
        return cls(
            fault=rng.choice((0.0, 0.3, 0.6)),
            at_once=0.0 if same else rng.choice((0.0, 0.3)),
            late=rng.choice((0.0, 0.2)),
            restore=rng.choice((0.0, 0.08)),
            undeclared=0.04 if wild else 0.0,
            tampering=0.08 if wild else 0.0,
        )


class Work(NamedTuple):
    """What an auditor is asked for: all chains, or one; to resume audits, if ``mode`` is None."""

    mode: Mode | None
    chain: str | None
    seconds: float

    def do(self, auditor: Auditor, found: list[AuditReport]) -> None:
        if self.mode is None:
            found.extend(auditor.resume(self.seconds))
        elif self.chain is None:
            for report in auditor.each(self.mode, self.seconds):
                found.append(report)  # one by one: those before an error count, too
        else:
            found.append(auditor.run(auditor.start(self.chain, self.mode), self.seconds))


@dataclass
class Slot:
    """A place for an auditor. One that has died, or is cold, is followed by a new one."""

    is_warm: bool
    process: Process = field(default_factory=Process)
    auditor: Auditor | None = None


@dataclass
class Backup:
    rows: Rows
    expected: Expected


class AuditWalk:
    """One run. ``packing``: None: each new auditor packs or not.

    ``same``: only what befalls a log with packs and without alike.
    """

    def __init__(
        self,
        store: MongoStore,
        folder: Path,
        seed: int,
        trace: list[str],
        *,
        packing: bool | None = None,
        same: bool = False,
    ) -> None:
        self.rng, self.trace, self.packing, self.same = Random(seed), trace, packing, same
        self.rates = Rates.draw(self.rng, same=same)
        self.log = WalkedLog(store, folder)
        self.recorder = Recorder(self.log.signers[0])
        self.log.signers = [self.recorder]
        self.expected = Expected()
        self.slots = [Slot(self.rng.random() < 0.6) for _ in range(3)]
        self.looked_at = self.rng.choice((0, 0, 32))
        self.backups: list[Backup] = []
        self.rolled_back = False
        self.tampered = False
        self.told: list[tuple[str, str]] = []
        self.findings: list[tuple[str, tuple[str, ...]]] = []

    def run(self, steps: int) -> None:
        """Raises `ViolationError` where something does not hold."""
        with patch.object(scan, "STEP", STEP):
            self._append("a")
            for _ in range(steps):
                self._step()
            self._finish()

    def _step(self) -> None:
        rng, rates = self.rng, self.rates
        if rng.random() < rates.tampering and self._tamper():
            return
        if rng.random() < rates.undeclared and self.backups and not self.tampered and not self.rolled_back:
            self._put_back()
        elif rng.random() < rates.restore and (self.backups or self.rolled_back) and not self.tampered:
            self._restore()
        else:
            rng.choices((self._grow, self._begin, self._audit, self._back_up, self._wait), (30, 6, 45, 8, 8))[0]()

    # What happens to the log

    def _grow(self) -> None:
        self._append(self.rng.choice([chain for chain in self.log.chains() if chain != REGISTRY] or ["a"]))

    def _begin(self) -> None:
        self._append(self.rng.choice(CHAINS))

    def _wait(self) -> None:
        millis = self.rng.choice((60_000, HOUR, 3 * 24 * HOUR))
        self.log.millis += millis
        self._note("clock", f"{millis // 60_000} minutes pass")

    def _append(self, chain: str) -> None:
        count, settled = self.rng.randint(1, 6), self.rng.random() < 0.7
        try:
            if settled:
                self.log.append(count, chain)
            else:
                self.log.add(count, chain)
            self._note("client", f"{count} events for {chain}, now {self.log.size(chain)}")
        except StoreError as error:
            if not self.tampered:
                raise
            self._note("client", f"{chain} takes nothing: {type(error).__name__}")

    def _back_up(self) -> None:
        self.backups.append(Backup(self.log.back_up(), self.expected.copy()))
        self._note("backup", f"{len(self.backups)} of {self._sizes()}")

    def _put_back(self) -> None:
        """A backup is restored, and nobody says so."""
        backup = self.rng.choice(self.backups)
        self.log.put_back(backup.rows)
        self.rolled_back, self.expected = True, Expected()
        kept = self.log.kept_objects()
        for chain in sorted({*self.log.chains(), *(held for held, key in kept if key.endswith(".note"))}):
            if self.log.contradicted(chain, kept):
                self.expected.guilty[chain] = "rolled back"
            elif self.log.claimed(chain, kept):
                self.expected.excused[chain] = "a claim of what was lost"
        which = self.backups.index(backup) + 1
        self._note("restore", f"of backup {which}, not declared: {self._sizes()}, {self.expected}")

    def _restore(self) -> None:
        """A backup is restored and declared, as docs/operations.md says; or the one before is declared now."""
        if not self.rolled_back:
            backup = self.rng.choice(self.backups)
            self.log.put_back(backup.rows)
            self._note("restore", f"of backup {self.backups.index(backup) + 1}: {self._sizes()}")
        if self.rng.random() < 0.3:
            self._append("a")
        self.rolled_back, self.expected = False, Expected()
        self.log.packing = self._packs()
        kept = self.log.kept_objects()
        anchored = {held for held, key in kept if key == note_key(1)}
        for chain in [*sorted({*self.log.chains(), *anchored} - {REGISTRY}), REGISTRY]:
            if not self.log.size(chain) and chain in anchored:
                self._begin_anew(chain)
            self._declare(chain)

    def _begin_anew(self, chain: str) -> None:
        """Of a chain of which nothing is left nothing can be declared: it is declared once there is something."""
        if chain != REGISTRY:
            self._append(chain)
        elif not self.log.size(REGISTRY):
            self.log.audit_all()
            self._note("auditor", f"a round of the operator's: {self._sizes()}")

    def _declare(self, chain: str) -> None:
        kept = self.log.kept_objects()
        is_lost = self.log.contradicted(chain, kept) or self.log.claimed(chain, kept)
        try:
            report = self.log.restore(chain=chain)
        except (InvalidError, NotFoundError) as error:
            self._note("operator", f"is refused a restore of {chain}: {error}")
            self._check(not is_lost, f"the restore of {chain} is refused: {error}")
        else:
            self._note("operator", f"declares a restore of {chain}: {report.status}")
            self._check(is_lost, f"a restore of {chain} is declared, of which nothing was lost")
            self._judge(report)
            self._check(report.status == "intact", f"{chain} is {report.status} after its restore")

    def _tamper(self) -> bool:
        kinds: tuple[Kind, ...] = (*EVENTS, *HARMLESS) if self.same else (*EVENTS, *ANCHORS, *HARMLESS)
        kind, before = self.rng.choice(kinds), len(self.expected.forged)
        by = Tamperer(
            self.log, self.rng, self.expected, self.log.kept_objects(), [backup.rows for backup in self.backups]
        )
        what = kind(by)
        if what is None:
            return False
        self.tampered |= kind not in HARMLESS or len(self.expected.forged) > before
        for chain in self.expected.forged & set(self.expected.guilty):
            if self.expected.guilty[chain] == "rolled back":  # what contradicted it may be what was removed now
                self.expected.excused[chain] = self.expected.guilty.pop(chain)
        self._note("somebody", f"{what}; {self.expected}")
        return True

    # Audits

    def _audit(self) -> None:
        rng = self.rng
        self.log.let_go(lapsed=rng.random() < 0.5)
        is_double = rng.random() < self.rates.at_once
        slots = rng.sample(self.slots, 2 if is_double else 1)
        works = [self._work() for _ in slots]
        faults = [self._fault() for _ in slots]
        many = not is_double and works[0].mode == "incremental" and works[0].chain is None and rng.random() < 0.3
        if many and faults[0] is not None and faults[0].what != "pack":
            faults[0] = None
        meanwhile = self._meanwhile() if not is_double and rng.random() < 0.2 else {}
        began, found = self.log.millis, [list[AuditReport]() for _ in slots]
        turns = Turns(rng)
        failed = [False for _ in slots]

        def at_work(number: int) -> None:
            slot, work = slots[number], works[number]
            pause = turns.pause(number) if is_double else partial(self._happen, meanwhile)
            failed[number] = self._at_work(slot, work, faults[number], pause, found[number])

        with patch.object(going_round, "MANY", 1 if many else 40):
            if is_double:
                turns.run([partial(at_work, 0), partial(at_work, 1)])
            else:
                at_work(0)
        for number, (work, reports) in enumerate(zip(works, found, strict=True)):
            calm = not failed[number] and not is_double and work.seconds > 0
            self._look(reports, began, calm=calm, whole=not meanwhile)
        self._check_told()
        self._check_signed()

    def _work(self) -> Work:
        rng, chains = self.rng, self.log.chains()
        seconds = 0.0 if rng.random() < self.rates.late else 60.0
        mode: Mode = "full" if rng.random() < 0.4 else "incremental"
        kind = rng.random()
        if kind < 0.1:
            return Work(None, None, seconds)
        return Work(mode, None if kind < 0.7 else rng.choice(chains or ["a"]), seconds)

    def _fault(self) -> Fault | None:
        rng = self.rng
        if rng.random() >= self.rates.fault:
            return None
        what: What = rng.choice(SAME if self.same else WHATS)
        most = rng.choice((40, 200)) if what == "command" else rng.choice((4, 12))
        return Fault(what, rng.randint(1, most), rng.random() < 0.5, rng.random() < 0.6)

    def _meanwhile(self) -> dict[int, Callable[[], None]]:
        """What clients and operators do while an audit is at work, by the number of its command."""
        if self.same:
            return {}
        return {
            self.rng.randint(1, 60): self._back_up if self.rng.random() < 0.3 else partial(self._append, "a")
            for _ in range(2)
        }

    def _happen(self, meanwhile: dict[int, Callable[[], None]], number: int) -> None:
        if number in meanwhile:
            meanwhile[number]()

    def _packs(self) -> bool:
        return self.rng.random() < 0.6 if self.packing is None else self.packing

    def _open(self, slot: Slot) -> Auditor:
        if slot.auditor is None or not slot.is_warm or slot.process.is_dead:
            chosen = self.rng.random() < 0.6
            packing = chosen if self.packing is None else self.packing
            slot.process = Process()
            slot.auditor = self.log.open(slot.process, self, packing=packing)
            slot.auditor.heads.looked_at = self.looked_at
            self._note("auditor", f"{self.slots.index(slot)} is new and {'packs' if packing else 'does not pack'}")
        return slot.auditor

    def _at_work(
        self,
        slot: Slot,
        work: Work,
        fault: Fault | None,
        pause: Callable[[int], None],
        found: list[AuditReport],
    ) -> bool:
        """Whether anything went wrong."""
        auditor, name = self._open(slot), f"auditor {self.slots.index(slot)}"
        slot.process.begin(fault, pause)
        self._note(name, f"{work}, {fault or 'no fault'}")
        try:
            work.do(auditor, found)
        except DeathError:
            self._note(name, f"dies at command {slot.process.commands}")
        except NotFoundError as error:
            self._note(name, str(error))
        except StoreError as error:
            self._note(name, f"{type(error).__name__}: {error}")
            self._check(slot.process.has_failed or self.tampered, f"an audit raises {error!r}")
        for report in found:
            self._note(name, _short(report))
        return slot.process.has_failed

    def _look(self, reports: list[AuditReport], began: int, *, calm: bool, whole: bool) -> None:
        """Look at what came of one auditor's work. ``calm``: nothing disturbed it; ``whole``: nothing was logged."""
        for report in reports:
            self._judge(report)
            new = report.started_at > began
            if not calm or not new or report.status == "running":
                continue
            if self.expected.is_honest(report.chain):
                self._check(report.status == "intact", _short(report))
                if whole:
                    self._check(report.unanchored_events == 0, f"{report.chain} is not anchored whole")
            elif report.mode == "full" and report.chain in self.expected.guilty:
                why = self.expected.guilty[report.chain]
                self._check(report.status == "tampered", f"{report.chain} is {report.status}: {why}")

    def _judge(self, report: AuditReport) -> None:
        accused = [f"{found.kind} {found.seq} {found.detail}" for found in report.findings]
        self._check(not accused or not self.expected.is_honest(report.chain), f"{report.chain} is accused: {accused}")
        self.findings.append((report.chain, tuple(sorted({f"{each.kind}/{each.seq}" for each in report.findings}))))

    def _check_told(self) -> None:
        for chain, what in self.told:
            self._check(not self.expected.is_honest(chain), f"it was told that {chain} is accused: {what}")
        self.told.clear()

    def found(self, report: AuditReport, new: int) -> None:
        """As ``Notices``: told of, though the auditor may die before anybody has its report."""
        if new:
            self.told.append((report.chain, str(report.findings)))

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        self._note("told", f"{chain}: {what}: {error}")

    def _check_signed(self) -> None:
        """Never two texts for one place, nor two roots for one size, unless somebody has altered anchors."""
        if self.expected.forged or self.expected.has_gap:
            return
        try:
            self.recorder.check()
        except AssertionError as error:
            raise ViolationError("two things were signed of one place or size") from error

    def _finish(self) -> None:
        """All audits are let go: one full round comes to every chain and says what there is to say, the next the same.

        One is enough, whatever has died before. Nothing that a dead process leaves is in the way of the next: its claim
        is finished or refused, its pack read, and what it left running is resumed, once, or was to be audited anyway.
        """
        self._note("end", f"{self._sizes()}, {self.expected}")
        for _ in range(2):
            self.log.let_go(lapsed=True)
            began, found, slot = self.log.millis, list[AuditReport](), self.rng.choice(self.slots)
            failed = self._at_work(slot, Work("full", None, 60.0), None, lambda _: None, found)
            self._look(found, began, calm=not failed, whole=True)
            reported = {report.chain for report in found if report.started_at > began}
            there = {chain for chain in self.log.chains() if self.log.size(chain)}
            missing = {*there, *self.expected.guilty} - reported
            self._check(not missing, f"no audit came to {missing}")
        self._check_told()
        self._check_signed()
        self._check_kept()

    def _check_kept(self) -> None:
        """Of chains of which nothing is to be found all is anchored, without a gap, and there is a copy of each."""
        kept = self.log.kept_objects()
        for chain in self.log.chains():
            anchors = [anchor.checkpoint.size for anchor in self.log.anchors_of(chain, kept)]
            if self.expected.is_honest(chain) and self.log.size(chain):
                copies = sorted(self.log.rows["checkpoints"].distinct("number", {"chain": chain}))
                self._check(anchors[-1:] == [self.log.size(chain)], f"{chain} is anchored at {anchors}")
                self._check(copies == [*range(1, len(anchors) + 1)], f"of {len(anchors)} of {chain}, copies {copies}")

    def _sizes(self) -> str:
        return " ".join(f"{chain}:{self.log.size(chain)}" for chain in self.log.chains())

    def _check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise ViolationError(otherwise)

    def _note(self, who: str, what: str) -> None:
        self.trace.append(f"{len(self.trace):4} {who:10} {what}")


def _short(report: AuditReport) -> str:
    kinds = sorted({found.kind for found in report.findings})
    because = f" because {report.incomplete_because}" if report.incomplete_because else ""
    return f"{report.mode} {report.chain} {report.status} {report.to_seq} {kinds or ''}{because}"


def play(
    store: MongoStore, folder: Path, seed: int, steps: int, *, packing: bool | None = None, same: bool = False
) -> AuditWalk:
    """Run one seed; what goes wrong is raised with the seed and every step."""
    trace: list[str] = []
    walk = AuditWalk(store, folder, seed, trace, packing=packing, same=same)
    try:
        walk.run(steps)
    except Exception as error:
        raise ViolationError("\n".join([f"seed {seed}: {error}", *trace])) from error
    return walk
