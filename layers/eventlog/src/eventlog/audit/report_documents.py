"""How a report is stored, and how a stored one is read again.

    {_id, chain, mode, status, from_seq, to_seq, events_checked, earlier_events, rehashed_since, checked_root,
     anchored_size, anchored_at, unanchored_events, incomplete_because, skew: {events, seq, seconds}, started_at,
     finished_at, findings: [{kind, seq, expected, actual, detail}], findings_total, lease}

``earlier_events`` and ``rehashed_since`` are there only if the audit rests on results of earlier ones. ``lease`` is
when somebody was last at work on it. ``erased`` and ``erasures_pending`` follow if one of them is not 0. Where
witnesses are asked ``witnessed_size`` and ``witnesses``: [{name, size, time, state, since, detail}] follow. An intact
report ends with ``verified``: {size, hash, frontier}, the state that it has verified. A running one goes on as
``run_documents.py`` says.
"""

from dataclasses import asdict
from typing import Any, TypeVar, get_args

from eventlog.audit.report import AuditReport, Mode, SkewSummary, Status, WitnessSummary, damaged_report
from eventlog.formats.event import ChainState
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import Fields, count, date, decode_roughly, maybe_count, maybe_date
from eventlog.stored.sequences import settled_fields
from eventlog.stored.witness_records import COSIGNING_STATES
from eventlog.verify.findings import Finding, FindingKind


class UnknownValueError(NotOursError):
    """A mode, status or kind that this version does not know; another may."""


_L = TypeVar("_L", bound=str)
_MODES: tuple[Mode, ...] = get_args(Mode)
_STATUSES: tuple[Status, ...] = get_args(Status)
_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
_SINCE_ANCHORS: dict[str, Any] = {
    "checked_root": None,
    "anchored_size": None,
    "anchored_at": None,
    "unanchored_events": None,
    "incomplete_because": None,
    "skew": {"events": 0, "seq": None, "seconds": 0.0},
}
"""What reports of early versions don't have."""
WITHOUT_WITNESSES: dict[str, Any] = {"witnessed_size": None, "witnesses": []}
"""What a document does not have where no witnesses are asked."""

SINCE_SEGMENTS: dict[str, Any] = {"earlier_events": 0, "rehashed_since": None}
"""What is stored of an audit only if it rests on results of earlier ones."""

WITHOUT_ERASURES: dict[str, Any] = {"erased": 0, "erasures_pending": 0}
"""What is stored of an audit only where something was erased, or is to be."""

NOT_ALWAYS_STORED: dict[str, Any] = SINCE_SEGMENTS | WITHOUT_ERASURES | WITHOUT_WITNESSES


def encode_report(report: AuditReport, lease: int, verified: ChainState | None = None) -> bytes:
    """Write the document of a report; ``verified`` is the state that a later audit may start from."""
    document = _report_fields(report, lease)
    return codec.encode(document if verified is None else document | {"verified": settled_fields(verified)})


def read_report(raw: bytes) -> AuditReport:
    """Read the report in a stored document, of a running audit too; a damaged one gives a report that says so."""
    try:
        return report_of(Fields(_SINCE_ANCHORS | NOT_ALWAYS_STORED | codec.decode(raw)))
    except NotOursError:
        found = decode_roughly(raw)
        return damaged_report(str(found.get("_id")), str(found.get("chain")))


def _report_fields(report: AuditReport, lease: int) -> dict[str, Any]:
    # A running audit signs these fields in this order, so it may not change.
    since = report.rehashed_since
    earlier = {} if since is None else {"earlier_events": count(report.earlier_events), "rehashed_since": date(since)}
    return (
        {
            "_id": report.audit_id,
            "chain": report.chain,
            "mode": report.mode,
            "status": report.status,
            "from_seq": count(report.from_seq),
            "to_seq": maybe_count(report.to_seq),
            "events_checked": count(report.events_checked),
            **earlier,
            "checked_root": report.checked_root,
            "anchored_size": maybe_count(report.anchored_size),
            "anchored_at": maybe_date(report.anchored_at),
            "unanchored_events": maybe_count(report.unanchored_events),
            "incomplete_because": report.incomplete_because,
            "skew": {
                "events": count(report.skew.events),
                "seq": maybe_count(report.skew.seq),
                "seconds": report.skew.seconds,
            },
            "started_at": date(report.started_at),
            "finished_at": maybe_date(report.finished_at),
            "findings": [asdict(finding) | {"seq": maybe_count(finding.seq)} for finding in report.findings],
            "findings_total": count(report.findings_total),
            "lease": date(lease),
        }
        | _erasures(report)
        | _witnesses(report)
    )


def report_of(fields: Fields) -> AuditReport:
    """Read a report from the fields of its document.

    Raises:
        NotOursError: a field is missing, of another type, or no mode, status or kind that there is.
    """
    # Fields that a report does not know are left alone: a running audit has more.
    skew = fields.inner("skew")
    findings = tuple(_finding(Fields(item)) for item in fields.items("findings", dict))
    total = fields.count("findings_total")
    if total < len(findings):  # else a report could take findings back as it goes on
        raise NotOursError("findings_total is less than the findings there are")
    return AuditReport(
        audit_id=fields.get("_id", str),
        chain=fields.get("chain", str),
        mode=_literal(fields.get("mode", str), _MODES),
        status=_literal(fields.get("status", str), _STATUSES),
        from_seq=fields.count("from_seq"),
        to_seq=fields.maybe_count("to_seq"),
        events_checked=fields.count("events_checked"),
        earlier_events=fields.count("earlier_events"),
        rehashed_since=fields.maybe_date("rehashed_since"),
        checked_root=fields.maybe("checked_root", str),
        anchored_size=fields.maybe_count("anchored_size"),
        anchored_at=fields.maybe_date("anchored_at"),
        unanchored_events=fields.maybe_count("unanchored_events"),
        erased=fields.count("erased"),
        erasures_pending=fields.count("erasures_pending"),
        witnessed_size=fields.maybe_count("witnessed_size"),
        witnesses=tuple(_witness(Fields(item)) for item in fields.items("witnesses", dict)),
        skew=SkewSummary(skew.count("events"), skew.maybe_count("seq"), skew.get("seconds", float)),
        incomplete_because=fields.maybe("incomplete_because", str),
        started_at=fields.date("started_at"),
        finished_at=fields.maybe_date("finished_at"),
        findings=findings,
        findings_total=total,
    )


def _erasures(report: AuditReport) -> dict[str, Any]:
    """Write how much is erased, where anything is or is to be."""
    if not report.erased and not report.erasures_pending:
        return {}
    return {"erased": count(report.erased), "erasures_pending": count(report.erasures_pending)}


def _witnesses(report: AuditReport) -> dict[str, Any]:
    """Write what is known of witnesses, where some are asked; other reports are as they were without any."""
    if not report.witnesses and report.witnessed_size is None:
        return {}
    witnesses = [_witness_fields(witness) for witness in report.witnesses]
    return {"witnessed_size": maybe_count(report.witnessed_size), "witnesses": witnesses}


def _witness_fields(witness: WitnessSummary) -> dict[str, Any]:
    since = {"since": date(witness.since)}
    return asdict(witness) | {"size": maybe_count(witness.size), "time": maybe_date(witness.time)} | since


def _witness(fields: Fields) -> WitnessSummary:
    return WitnessSummary(
        fields.get("name", str),
        fields.maybe_count("size"),
        fields.maybe_date("time"),
        _literal(fields.get("state", str), COSIGNING_STATES),
        fields.date("since"),
        fields.get("detail", str),
    )


def _finding(fields: Fields) -> Finding:
    return Finding(
        _literal(fields.get("kind", str), _KINDS),
        fields.maybe_count("seq"),
        fields.maybe("expected", str),
        fields.maybe("actual", str),
        fields.get("detail", str),
    )


def _literal(value: str, allowed: tuple[_L, ...]) -> _L:
    for each in allowed:
        if each == value:
            return each
    raise UnknownValueError(f"{value[:100]!r} is not one of {', '.join(map(str, allowed))}")
