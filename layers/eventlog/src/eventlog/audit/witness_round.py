"""After a round of anchors: witnesses are asked to cosign the newest ones. Nothing of the log waits for them.

What a round knows of each witness is kept (``stored/witness_records.py``); their lines are kept too, each inserted once
and verified over its anchor whenever it is used. What a witness shows against the log is judged
(``witness_evidence.py``), and becomes a report of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from aws_lambda_powertools import Logger

from eventlog.audit.report import AuditReport, new_report
from eventlog.audit.witness_knowledge import after, of_policy, summary, witnessed_size
from eventlog.audit.witness_parts import WitnessParts, WitnessRound
from eventlog.audit.witness_tasks import WitnessedAnchor, WitnessTask, WitnessTasks
from eventlog.formats.cosigned_note import format_line, signed_by
from eventlog.formats.errors import EvidenceError
from eventlog.formats.name_filter import NameFilter
from eventlog.formats.note import Signature
from eventlog.formats.policy import Policy
from eventlog.formats.proof import verify_consistency
from eventlog.formats.witness_protocol import format_answer
from eventlog.store.errors import CorruptionError, StoreError
from eventlog.stored.cosignatures import StoredCosignature
from eventlog.stored.witness_records import WitnessRecord
from eventlog.verify.findings import Finding
from eventlog.witnessing.asking import CosigningOutcome, CosigningRequest, ask
from eventlog.witnessing.at_once import run_at_once
from eventlog.witnessing.http_call import WitnessCall, call, refusal

SECONDS = 20.0
"""What a round may take in all."""
SERVICE = "eventlog-chain_audit"
_NOT_ASKED = "witnesses could not be asked"
_NOT_KEPT = "what a witness has answered could not be stored"


class Witnessing:
    """Asks the witnesses of a policy for the chains that are ``wanted``; for the same size after ``fresh_millis``."""

    def __init__(
        self,
        parts: WitnessParts,
        *,
        wanted: NameFilter,
        fresh_millis: int,
        clock: Callable[[], int],
        caller: WitnessCall = call,
        seconds: float = SECONDS,
    ) -> None:
        self._parts = parts
        self._wanted = wanted
        self._fresh = fresh_millis
        self._clock = clock
        self._call = caller
        self._seconds = seconds
        self._tasks = WitnessTasks(parts.anchoring, parts.cosignatures, fresh_millis=fresh_millis, clock=clock)
        self._logger = Logger(service=SERVICE)

    def round(self, reports: Iterable[AuditReport]) -> WitnessRound:
        """Ask for the chains that these audits have found anchored. Whatever fails is told, and stops nobody.

        And for those that no round audits, as they don't grow, once witnesses were asked for them long ago.
        """
        # All is read first, then all are asked at once, then what they said is kept: threads ask, and write nothing.
        sizes: dict[str, int | None] = {each.chain: each.anchored_size for each in reports if self._is_wanted(each)}
        outcome = WitnessRound()
        try:
            idle = self._parts.records.asked_before(self._clock() - self._fresh)
            sizes |= dict.fromkeys(chain for chain in idle if chain not in sizes and self._wanted.fits(chain))
            if not sizes:
                return outcome
            policy = self._parts.policy.current()
            stored = self._parts.records.of(list(sizes))
        except StoreError as error:
            self._parts.notices.failed(_NOT_ASKED, "", error)
            return outcome
        now = self._clock()
        known = {chain: of_policy(policy, chain, stored, now) for chain in sizes}
        tasks: list[WitnessTask] = []
        findings: dict[str, list[Finding]] = {}
        for chain, size in sizes.items():
            try:
                about, due = self._tasks.of(chain, size, policy, known[chain])
            except StoreError as error:
                self._parts.notices.failed(_NOT_ASKED, chain, error)
                continue
            tasks += due
            findings[chain] = [] if about is None else about.findings
        self._ask(tasks, policy, known, findings)
        for chain, records in known.items():
            outcome.records += records
            if (witnessed := witnessed_size(policy, records)) is not None:
                outcome.sizes[chain] = witnessed
            if found := findings.get(chain):
                outcome.reports.append(self._report(chain, found, records, witnessed))
        return outcome

    def _is_wanted(self, report: AuditReport) -> bool:
        return bool(report.chain) and report.anchored_size is not None and self._wanted.fits(report.chain)

    def _ask(
        self,
        tasks: list[WitnessTask],
        policy: Policy,
        known: dict[str, list[WitnessRecord]],
        findings: dict[str, list[Finding]],
    ) -> None:
        """Ask all witnesses that are due, and take in what they say: into the records, and into what was found."""
        # Who was asked longest ago comes first. A witness that does not answer once is not waited for again in this
        # round, or one that hangs would take the time of all others, for a log with many chains.
        tasks.sort(key=lambda task: task.record.asked_at or 0)
        away: set[str] = set()
        ended, begun = run_at_once(tasks, lambda task: self._answer(task, policy, away), self._seconds)
        late = CosigningOutcome(state="silent", detail="it did not answer in time")
        said = [(task, outcome) for task, outcome in ended if outcome is not None] + [(task, late) for task in begun]
        for task, outcome in said:
            chain = task.about.chain
            record, found = self._taken(task, outcome)
            if found is not None:
                findings[chain].append(found)
            known[chain] = [record if each.witness == record.witness else each for each in known[chain]]
        for about in {id(task.about): task.about for task, outcome in said if outcome.lines}.values():
            self._keep_outside(about)

    def _answer(self, task: WitnessTask, policy: Policy, away: set[str]) -> CosigningOutcome | None:
        """Ask one witness, in a thread; None: it did not answer for another chain, so it was not asked."""
        if task.witness.name in away:
            return None
        why, url = refusal(task.witness.url), task.witness.url
        if why is not None or url is None:
            return CosigningOutcome(state="not_asked", detail=why or "")
        anchor = task.about.anchor
        request = CosigningRequest(
            url=url,
            key=task.witness.key,
            known=[witness.key for witness in policy.witnesses],
            own=task.about.own,
            checkpoint=anchor.checkpoint,
            note=signed_by(anchor.data, task.about.own),
            old=task.record.size or 0,
            now=self._clock() // 1000,
        )
        outcome = ask(request, lambda old: self._proof(task.about, old), self._call)
        if outcome.state == "silent":
            away.add(task.witness.name)
        return outcome

    def _proof(self, about: WitnessedAnchor, old: int) -> Sequence[bytes]:
        """Prove that the anchor's tree extends that of ``old``; what does not verify here is not sent.

        Raises:
            StoreError: the database can't be reached, or its nodes don't prove it, which audits find.
        """
        checkpoint = about.anchor.checkpoint
        path = self._parts.anchoring.tree.consistency(about.chain, old, checkpoint.size)
        try:
            verify_consistency(old, checkpoint.size, path.hashes, path.first_root, checkpoint.root)
        except EvidenceError as error:
            raise CorruptionError(f"the tree of chain {about.chain} is damaged: {error}; run an audit") from error
        return path.hashes

    def _taken(self, task: WitnessTask, outcome: CosigningOutcome) -> tuple[WitnessRecord, Finding | None]:
        """Keep what a witness said; return what is known of it then, and what its evidence shows."""
        chain, found = task.about.chain, None
        try:
            outcome, found = self._judged(task, outcome)
            for line in outcome.lines:
                self._keep_line(task.about, line)
        except StoreError as error:
            self._parts.notices.failed(_NOT_KEPT, chain, error)
        record = after(task.record, outcome, task.about.anchor.checkpoint.size, self._clock())
        if record.state not in {"cosigning", task.record.state}:
            extra = {"chain": chain, "witness": record.witness, "state": record.state, "detail": record.detail}
            self._logger.warning("a witness does not cosign", extra=extra)
        try:
            self._parts.records.put(record)
        except StoreError as error:
            self._parts.notices.failed(_NOT_KEPT, chain, error)
        return record, found

    def _judged(self, task: WitnessTask, outcome: CosigningOutcome) -> tuple[CosigningOutcome, Finding | None]:
        """Judge what a witness shows: it is a finding, or the witness is no trouble, or wrong."""
        if outcome.shown is None:
            return outcome, None
        found = self._parts.evidence.finding(task.about.chain, task.witness.name, outcome.shown)
        if found is not None:
            return outcome, found
        # It holds a tree of this very chain. A larger one comes from another audit that was faster.
        if outcome.state == "ahead":
            return CosigningOutcome(state="cosigning"), None
        detail = "it refuses to go on from a tree that this chain does extend"
        return CosigningOutcome(state="unsound", detail=detail), None

    def _keep_line(self, about: WitnessedAnchor, line: Signature) -> None:
        number, size = about.anchor.seal.number, about.anchor.checkpoint.size
        self._parts.cosignatures.add(StoredCosignature(about.chain, number, size, line.name, format_line(line)))
        about.added.append(line)

    def _keep_outside(self, about: WitnessedAnchor) -> None:
        """Keep the lines that are known now beside the anchors, once for each anchor: if both are lost, dates are."""
        lines = {(line.name, line.key_id): line for line in (*about.lines.values(), *about.added)}
        try:
            key = f"{about.anchor.seal.number:012}.sigs"
            self._parts.kept.create(about.chain, key, format_answer(lines[each] for each in sorted(lines)))
        except StoreError as error:
            self._parts.notices.failed(_NOT_KEPT, about.chain, error)

    def _report(
        self, chain: str, found: Sequence[Finding], records: Sequence[WitnessRecord], witnessed: int | None
    ) -> AuditReport:
        """Keep a report on what witnesses have shown; the same from several of them is one finding."""
        now = self._clock()
        report = replace(
            new_report(chain, "incremental", now),
            status="tampered",
            to_seq=None,
            finished_at=now,
            witnessed_size=witnessed,
            witnesses=tuple(map(summary, records)),
        )
        for finding in {(each.kind, each.seq): each for each in found}.values():
            report = report.with_finding(finding)
        self._parts.keeper.keep(report, now)
        return report
