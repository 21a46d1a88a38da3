"""An audit's report as it is stored: what it says, and while it runs, what it takes to go on."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from bson import DatetimeMS, Int64
from uuid_utils.compat import uuid7

from eventlog.verify.findings import Finding
from eventlog.verify.verifier import VerifierState

Mode = Literal["full", "incremental"]
Report = dict[str, Any]

MAX_FINDINGS = 100
RUNNING_FIELDS = (
    "known",
    "position",
    "read_at",
    "walk",
    "last_anchor",
    "copied",
    "origin",
    "size",
    "tail",
    "unreached",
)
"""What only a running audit has, beside ``state`` and ``target``."""


def new_report(chain: str, mode: Mode, now: int) -> Report:
    """A report that is about to begin."""
    started = DatetimeMS(now)
    return {
        "_id": str(uuid7()),
        "chain": chain,
        "mode": mode,
        "status": "running",
        "from_seq": Int64(0),
        "to_seq": Int64(0),
        "events_checked": Int64(0),
        "checked_root": None,
        "anchored_size": None,
        "anchored_at": None,
        "unanchored_events": None,
        "incomplete_because": None,
        "skew": {"events": Int64(0), "seq": None, "seconds": 0.0},
        "started_at": started,
        "finished_at": None,
        "findings": [],
        "findings_total": Int64(0),
        "lease": started,
    }


def emitter(report: Report) -> Callable[[Finding], None]:
    """Adds findings to a report; all are counted, the first are kept."""

    def emit(finding: Finding) -> None:
        report["findings_total"] = Int64(report["findings_total"] + 1)
        if len(report["findings"]) < MAX_FINDINGS:
            stored = asdict(finding)
            report["findings"].append(stored | {"seq": None if finding.seq is None else Int64(finding.seq)})

    return emit


def stored_state(state: VerifierState) -> dict[str, Any]:
    """A verifier's state as it is stored."""
    return asdict(state) | {"size": Int64(state.size)}


def read_state(report: Report) -> VerifierState:
    """The verifier's state of a running audit."""
    state = VerifierState(**report["state"])
    state.size = int(state.size)
    return state
