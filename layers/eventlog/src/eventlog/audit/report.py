"""An audit's report: the one shape that is stored, shown over HTTP, told to alarms and read by the client.

``audit/report_documents.py`` says how it is stored, ``http/audit_schemas.py`` how it is shown. A test holds both, the
database's validator and the client against this type.
"""

from dataclasses import dataclass, replace
from typing import Literal

from uuid_utils.compat import uuid7

from eventlog.stored.witness_records import CosigningState
from eventlog.verify.findings import Finding

Mode = Literal["full", "incremental"]
"""full: every event and every anchor. incremental: what was added since the newest anchor, or since the last audit
where nothing is anchored."""

Status = Literal["running", "intact", "tampered", "incomplete"]
"""tampered: something was found, also where the audit could not go on after it. incomplete: nothing was found, but not
all could be checked; ``incomplete_because`` says why."""

MAX_DETAIL = 1000
"""Characters of a finding's detail that a report keeps."""

MAX_FINDINGS = 100
"""A report names this many findings, and counts all of them."""


@dataclass(frozen=True, slots=True)
class SkewSummary:
    """Events whose claimed timestamp is over an hour from when they were received."""

    events: int = 0
    """How many there are."""

    seq: int | None = None
    """The one that is furthest off; None if there is none."""

    seconds: float = 0.0
    """received_at - timestamp of that event."""


@dataclass(frozen=True, slots=True)
class WitnessSummary:
    """What was known of a witness when the audit began. Times are milliseconds since 1970."""

    name: str
    """Its name in the log's policy."""

    size: int | None
    """The size of the last tree of the chain that it has cosigned; None: of none."""

    time: int | None
    """When it did; None as above."""

    state: CosigningState
    since: int
    """Since when it is in this state."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit says of one chain, finished or so far. Times are milliseconds since 1970."""

    audit_id: str
    """A UUID (version 7), so that ids sort by the time when the audits began."""

    chain: str
    """Empty in reports that are about no chain: on rows without one, and on the database."""

    mode: Mode
    status: Status = "running"

    from_seq: int = 0
    """The first seq that was verified."""

    to_seq: int | None = 0
    """The seq after the last one that was verified, or that is to be; None while the end is not known, because the
    chain's sequence document is gone."""

    events_checked: int = 0
    """How many stored documents this audit verified."""

    earlier_events: int = 0
    """How many more earlier audits verified, whose signed results still count (``audit/segments.py``)."""

    rehashed_since: int | None = None
    """Since when each of the events was verified: when the oldest of those results was begun. None: there are none,
    so this audit verified all of them itself."""

    checked_root: str | None = None
    """The Merkle root of [0, to_seq) in hex; None before the end, and if findings leave it unknown."""

    anchored_size: int | None = None
    """How many events the newest anchor covers; None if nothing of the chain is anchored."""

    anchored_at: int | None = None
    """When that anchor was made; None as above."""

    unanchored_events: int | None = None
    """How many events the chain had beyond that anchor when the audit began; None if its size is not known."""

    erased: int = 0
    """How many of the events were erased, each by an order that the chain has."""

    erasures_pending: int = 0
    """How many more were to be erased by an order that was anchored when the audit began, and still have a payload."""

    skew: SkewSummary = SkewSummary()

    incomplete_because: str | None = None
    """What could not be reached or done; None if all was."""

    started_at: int
    finished_at: int | None = None
    """None while it runs."""

    findings: tuple[Finding, ...] = ()
    """The first ``MAX_FINDINGS``, in the order in which they were found."""

    findings_total: int = 0

    witnessed_size: int | None = None
    """How many events stood in trees that a quorum of witnesses had cosigned when the audit began; None: none
    had."""

    witnesses: tuple[WitnessSummary, ...] = ()
    """What was known then of each witness of the log's policy; empty if the log asks none."""

    def with_finding(self, finding: Finding) -> "AuditReport":
        """Add one finding: it is counted, and kept if it is among the first ``MAX_FINDINGS``.

        Its detail is cut: it may name fields, whose names may be as long as a document, which a report must fit into.
        """
        finding = replace(finding, detail=finding.detail[:MAX_DETAIL])
        kept = (*self.findings, finding) if len(self.findings) < MAX_FINDINGS else self.findings
        return replace(self, findings=kept, findings_total=self.findings_total + 1)


def new_report(chain: str, mode: Mode, now: int) -> AuditReport:
    """Start the report of an audit that begins now, in milliseconds since 1970."""
    return AuditReport(audit_id=str(uuid7()), chain=chain, mode=mode, started_at=now)


def damaged_report(audit_id: str, chain: str) -> AuditReport:
    """Make a report that stands in for a stored one that can't be read."""
    because = "the stored report is damaged"
    return AuditReport(
        audit_id=audit_id,
        chain=chain,
        mode="full",
        status="incomplete",
        to_seq=None,
        incomplete_because=because,
        started_at=0,
    )
