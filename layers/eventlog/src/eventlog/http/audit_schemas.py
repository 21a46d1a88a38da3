"""What is asked and answered about audits: models, of answers for the OpenAPI document alone.

Answers are written by ``audit_fields.py`` and follow ``audit/report.py``, field by field; a test holds them against it.
"""

from typing import Literal

from pydantic import BaseModel, Field

from eventlog.audit.report import Mode, Status
from eventlog.fields import ChainName
from eventlog.stored.witness_records import CosigningState


class AuditRequest(BaseModel):
    """Which chain to audit, and how much of it."""

    model_config = {"extra": "forbid", "strict": True}

    chain: ChainName = "main"
    mode: Literal["full", "incremental"] = Field(
        default="incremental", description="incremental starts where the last intact audit ended; full at 0"
    )


class FindingOut(BaseModel, defer_build=True):
    """One place where the log is not what it must be."""

    kind: str
    seq: int | None
    expected: str | None
    actual: str | None
    detail: str


class Skew(BaseModel, defer_build=True):
    """Events whose claimed timestamp is over an hour from when they were received: no tampering, but worth a look."""

    events: int
    seq: int | None = Field(description="The event that is furthest off")
    seconds: float = Field(description="received_at - timestamp of that event")


class WitnessOut(BaseModel, defer_build=True):
    """What was known of a witness when the audit began."""

    name: str = Field(description="As the log's policy has it")
    size: int | None = Field(description="Events of the last tree of this chain that it has cosigned")
    time: str | None = Field(description="When it did")
    state: CosigningState
    since: str = Field(description="Since when it is in this state")
    detail: str


class AuditReport(BaseModel, defer_build=True):
    """An audit's report; seqs are [from_seq, to_seq)."""

    audit_id: str
    chain: str
    mode: Mode
    status: Status
    from_seq: int
    to_seq: int | None
    events_checked: int = Field(description="Events that this audit re-hashed")
    earlier_events: int = Field(description="Events that earlier audits re-hashed, whose signed results still count")
    rehashed_since: str | None = Field(description="Since when each event was re-hashed; null: this audit did them all")
    checked_root: str | None
    anchored_size: int | None = Field(description="Events that the newest anchor covers")
    anchored_at: str | None = Field(description="When that was made")
    unanchored_events: int | None = Field(description="Events beyond it when the audit began")
    erased: int = Field(description="Events that were erased, each by an order that the chain has")
    erasures_pending: int = Field(description="Events that are to be erased, by an order that was anchored by then")
    skew: Skew
    incomplete_because: str | None = Field(description="What could not be reached, so that not all was checked")
    started_at: str
    finished_at: str | None
    findings: list[FindingOut]
    findings_total: int
    witnessed_size: int | None = Field(description="Events in trees that a quorum of witnesses had cosigned by then")
    witnesses: list[WitnessOut] = Field(description="What was known of each when it began; empty if none is asked")


class AuditReports(BaseModel, defer_build=True):
    """Reports, newest first; ``next`` goes on as ``before``, null at the end."""

    audits: list[AuditReport]
    next: str | None
