"""``python -m tools.load.verify URL LEDGER``: reads every event of a run's chains and compares it with the ledger.

Every acknowledged event must be stored once, with exactly its receipt. What the queue accepted must arrive. What was
never answered may be stored, but only once. Seqs must be contiguous. A full audit must find nothing.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventlog.console import run as run_command
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import check_event, parse_event
from eventlog.formats.members import parse_json
from eventlog_client.client import EventLog
from eventlog_client.errors import ClientError, RefusedError
from tools.load import ledger
from tools.load.ledger import LedgerError, ReceiptFields, Sent
from tools.load.mix import mark_of

SHOWN = 20
"""How many problems are shown; the rest is counted."""
ARRIVAL_SECONDS = 120.0
DAMAGED = 500
"""What the log answers where it can show what is stored to nobody."""
_PAGE = 1000


@dataclass
class Verdict:
    """What was counted, and the problems that were found."""

    acknowledged: int = 0
    accepted: int = 0
    refused: int = 0
    in_doubt: int = 0
    in_doubt_stored: int = 0
    stored: int = 0
    audited: int = 0
    problems: list[str] = field(default_factory=list)


class Verifier:
    """Reads the chains of a ledger and checks every event."""

    def __init__(self, log: EventLog, sent: dict[str, Sent], arrival_seconds: float = ARRIVAL_SECONDS) -> None:
        self._log = log
        self._sent = sent
        self._arrival_seconds = arrival_seconds
        self._found: dict[str, str] = {}
        self._next: dict[str, int] = {sent[mark].chain: 0 for mark in sent}
        self._ids: set[tuple[str, str]] = set()
        self._verdict = Verdict()

    def run(self) -> Verdict:
        """Check everything; return the verdict.

        Raises:
            ClientError: the log can't be read.
        """
        # Accepted events arrive some time after the load has ended. Each walk goes on where the last one stopped.
        deadline = time.monotonic() + self._arrival_seconds
        self._walk()
        while self._missing_accepted() and time.monotonic() < deadline:
            time.sleep(1)
            self._walk()
        self._compare()
        for chain, size in self._next.items():
            if size:
                self._audit(chain, size)
        return self._verdict

    def _walk(self) -> None:
        """Read all chains from where the last walk ended."""
        for chain in self._next:
            for event in self._events(chain):
                self._meet(chain, event)

    def _events(self, chain: str) -> Iterator[dict[str, Any]]:
        """Read a chain on from where the last walk ended."""
        try:
            yield from self._pages(chain)
        except RefusedError as error:
            if error.status != DAMAGED:
                raise
            # The log shows no range in which an event is missing or damaged: then each is asked for by itself.
            for seq in range(self._next[chain], self._log.chain(chain).size):
                yield from self._one(chain, seq)

    def _one(self, chain: str, seq: int) -> list[dict[str, Any]]:
        """Read the event at a seq; none if it is missing or damaged."""
        query: dict[str, Any] = {"chain": chain, "sort": "seq", "from_seq": seq, "to_seq": seq + 1}
        try:
            found: list[dict[str, Any]] = parse_json(self._log.transport.get("/events", query).body)["events"]
        except RefusedError as error:
            if error.status != DAMAGED:
                raise
            return []
        return found

    def _pages(self, chain: str) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {"chain": chain, "sort": "seq", "from_seq": self._next[chain], "limit": _PAGE}
        while True:
            page = parse_json(self._log.transport.get("/events", query).body)
            yield from page["events"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def _meet(self, chain: str, event: dict[str, Any]) -> None:
        """Check one event: its place, its hashes, and that it was sent, once."""
        # Problems are noted and the walk goes on, so that one mistake does not hide the next. An event is doubled if
        # its id or its mark was seen before: the same event under two ids is a doubled event too.
        seq, event_id, mark = event["seq"], event["event_id"], mark_of(event)
        if seq != self._next[chain]:
            self._tell(f"{chain}: seq {seq} stands where {self._next[chain]} belongs")
        self._next[chain] = seq + 1
        self._verdict.stored += 1
        if (chain, event_id) in self._ids:
            self._tell(f"{chain}: event {event_id} is there twice, again at seq {seq}")
        self._ids.add((chain, event_id))
        try:
            check_event(parse_event(event))
        except EvidenceError as error:
            self._tell(f"{chain}: altered: {error}")
        if mark is None or mark not in self._sent:
            self._tell(f"{chain}: seq {seq} is an event that was never sent")
        elif mark in self._found:
            self._tell(f"{chain}: what was sent once is there twice: {self._found[mark]} and {event_id}")
        else:
            self._hold_against(self._sent[mark], event)
            self._found[mark] = event_id

    def _hold_against(self, sent: Sent, event: dict[str, Any]) -> None:
        name = f"{event['chain']}: event {event['event_id']} at seq {event['seq']}"
        if sent.chain != event["chain"]:
            self._tell(f"{name} was sent to {sent.chain}")
        if sent.accepted not in {None, event["event_id"]}:
            self._tell(f"{name} was accepted as {sent.accepted}")
        receipt = sent.receipt or {}
        if differing := [key for key in receipt if event[key] != receipt[key]]:
            self._tell(f"{name} has another {', '.join(differing)} than its receipt")

    def _missing_accepted(self) -> bool:
        return any(sent.accepted and mark not in self._found for mark, sent in self._sent.items())

    def _compare(self) -> None:
        """Compare what the log promised with what is stored."""
        # The strongest promise counts: a receipt before an acceptance, and that before no answer. What is in doubt may
        # be stored or not. Only what was refused each time must not be.
        verdict = self._verdict
        for mark, sent in self._sent.items():
            there = mark in self._found
            if sent.receipt:
                verdict.acknowledged += 1
                if not there:
                    self._tell_lost(sent.receipt)
            elif sent.accepted:
                verdict.accepted += 1
                if not there:
                    self._tell(f"{sent.chain}: event {sent.accepted} was accepted for the queue and did not arrive")
            elif sent.in_doubt:
                verdict.in_doubt += 1
                verdict.in_doubt_stored += there
            else:
                verdict.refused += 1
                if there:
                    self._tell(f"{sent.chain}: event {self._found[mark]} was refused and is stored")

    def _tell_lost(self, receipt: ReceiptFields) -> None:
        chain, event_id = receipt["chain"], receipt["event_id"]
        self._tell(f"{chain}: event {event_id} was acknowledged at seq {receipt['seq']} and is lost")

    def _audit(self, chain: str, size: int) -> None:
        report = self._log.audit(chain, "full")
        self._verdict.audited += report.events_checked
        if report.status != "intact":
            self._tell(f"{chain}: the full audit says {report.status}, see /api/v1/audits/{report.audit_id}")
        elif report.events_checked != size:
            self._tell(f"{chain}: the full audit checked {report.events_checked} events of {size}")

    def _tell(self, problem: str) -> None:
        self._verdict.problems.append(problem)


def verify(url: str, token: str | None, path: Path) -> Verdict:
    """Verify a run by its ledger; errors of the ledger or of reading the log are problems of the verdict too."""
    try:
        sent = ledger.read(path)
        with EventLog(url, token=token, verify=False) as log:
            return Verifier(log, sent).run()
    except LedgerError as error:
        return Verdict(problems=[str(error)])
    except (ClientError, EvidenceError) as error:
        return Verdict(problems=[f"The log could not be walked: {error}"])


def describe(verdict: Verdict) -> str:
    """Return the verdict as a few lines of text."""
    lines = [f"  {problem}" for problem in verdict.problems[:SHOWN]]
    if len(verdict.problems) > SHOWN:
        lines.append(f"  ... and {len(verdict.problems) - SHOWN} more")
    summary = (
        f"{verdict.acknowledged} events acknowledged, {verdict.accepted} accepted for the queue, {verdict.refused}"
        f" refused, {verdict.in_doubt} without an answer or with 503 ({verdict.in_doubt_stored} of them stored);"
        f" {verdict.stored} stored, {verdict.audited} audited."
    )
    judgement = "Nothing is lost, doubled or altered." if not verdict.problems else "NOT as it should be:"
    return "\n".join([summary, judgement, *lines])


def main() -> int:
    """Return the exit code: 1 if anything is not as it should be."""
    url, path = sys.argv[1:]
    verdict = verify(url, os.environ.get("TOKEN"), Path(path))
    print(describe(verdict))
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
