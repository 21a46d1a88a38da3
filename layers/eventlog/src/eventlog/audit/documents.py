"""How reports and running audits are stored, and how what is stored is read again.

    {_id, chain, mode, status, from_seq, to_seq, events_checked, checked_root, anchored_size, anchored_at,
     unanchored_events, incomplete_because, skew: {events, seq, seconds}, started_at, finished_at,
     findings: [{kind, seq, expected, actual, detail}], findings_total, lease}

``lease`` is when somebody was last at work on it. An intact report ends with ``verified``: {size, hash, frontier}, the
state it has verified. A running one ends with what it takes to go on (``AuditRun``) and with ``voucher``, the signature
of all but ``lease`` and itself. The order of the fields is part of what is signed.
"""

from dataclasses import asdict
from hashlib import sha256
from typing import Any, TypeVar, get_args

from eventlog.anchors.walk import Reached
from eventlog.audit.report import AuditReport, Mode, SkewSummary, Status, damaged_report
from eventlog.audit.run import AnchorWalk, AuditRun
from eventlog.formats.event import ChainState
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import (
    Fields,
    count,
    date,
    decode_roughly,
    maybe_count,
    maybe_date,
    timestamp,
)
from eventlog.stored.sequences import decode_settled, settled_fields
from eventlog.verify.findings import Finding, FindingKind
from eventlog.verify.verifier import VerifierState

_L = TypeVar("_L", bound=str)
_MODES: tuple[Mode, ...] = get_args(Mode)
_STATUSES: tuple[Status, ...] = get_args(Status)
_KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
_NEVER_SIGNED = {"lease", "voucher"}
_SINCE_ANCHORS = {
    "checked_root": None,
    "anchored_size": None,
    "anchored_at": None,
    "unanchored_events": None,
    "incomplete_because": None,
    "skew": {"events": 0, "seq": None, "seconds": 0.0},
}
"""What reports of early versions don't have."""


def encode_report(report: AuditReport, lease: int, verified: ChainState | None = None) -> bytes:
    """Write the document of a finished report; ``verified`` is the state that a later audit may start from."""
    document = _report_fields(report, lease)
    return codec.encode(document if verified is None else document | {"verified": settled_fields(verified)})


def encode_run(run: AuditRun) -> bytes:
    """Write the document of a running audit."""
    document = _report_fields(run.report, run.lease) | _run_fields(run)
    return codec.encode(document if run.voucher is None else document | {"voucher": run.voucher})


def read_report(raw: bytes) -> AuditReport:
    """Read the report in a stored document; a damaged document gives a report that says so."""
    try:
        return _report(Fields(_SINCE_ANCHORS | codec.decode(raw)))
    except NotOursError:
        found = decode_roughly(raw)
        return damaged_report(str(found.get("_id")), str(found.get("chain")))


def read_run(raw: bytes) -> AuditRun:
    """Read the running audit in a stored document.

    Raises:
        NotOursError: it was stored otherwise than this version does, or was damaged.
    """
    document = codec.decode(raw)
    fields = Fields(document)
    walk, state = fields.inner("walk"), fields.inner("state")
    return AuditRun(
        report=_report(fields),
        lease=fields.date("lease"),
        walk=AnchorWalk(
            reached=_reached(walk.inner("reached")),
            rewritten=walk.get("rewritten", bool),
            last=fields.count("last_anchor"),
            copied=fields.count("copied"),
        ),
        known=_chain_state(fields.maybe("known", dict)),
        read_at=fields.maybe_timestamp("read_at"),
        origin=fields.get("origin", str),
        size=fields.maybe_count("size"),
        tail=fields.items("tail", bytes),
        unreached=fields.maybe_count("unreached"),
        target=_chain_state(fields.maybe("target", dict)),
        position=fields.count("position"),
        state=VerifierState(
            size=state.count("size"),
            links=state.items("links", bytes),
            frontier=state.items("frontier", bytes, type(None)),
            hole=state.get("hole", bool),
        ),
        voucher=fields.maybe("voucher", bytes) if "voucher" in document else None,
    )


def voucher_message(raw: bytes) -> bytes:
    """Build what is signed of a stored running audit: all of it but the lease and the signature.

    Raises:
        NotOursError: not decodable.
    """
    signed = {name: value for name, value in codec.decode(raw).items() if name not in _NEVER_SIGNED}
    return f"eventlog/audit/v1\nreport {sha256(codec.encode(signed)).hexdigest()}\n".encode()


def _report_fields(report: AuditReport, lease: int) -> dict[str, Any]:
    return {
        "_id": report.audit_id,
        "chain": report.chain,
        "mode": report.mode,
        "status": report.status,
        "from_seq": count(report.from_seq),
        "to_seq": maybe_count(report.to_seq),
        "events_checked": count(report.events_checked),
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


def _run_fields(run: AuditRun) -> dict[str, Any]:
    reached, state = run.walk.reached, run.state
    numbers = {"number": count(reached.number), "size": count(reached.size), "time": count(reached.time)}
    return {
        "walk": {"reached": asdict(reached) | numbers, "rewritten": run.walk.rewritten},
        "last_anchor": count(run.walk.last),
        "copied": count(run.walk.copied),
        "known": None if run.known is None else settled_fields(run.known),
        "read_at": timestamp(run.read_at),
        "origin": run.origin,
        "size": maybe_count(run.size),
        "tail": run.tail,
        "unreached": maybe_count(run.unreached),
        "target": None if run.target is None else settled_fields(run.target),
        "position": count(run.position),
        "state": asdict(state) | {"size": count(state.size)},
    }


def _report(fields: Fields) -> AuditReport:
    skew = fields.inner("skew")
    return AuditReport(
        audit_id=fields.get("_id", str),
        chain=fields.get("chain", str),
        mode=_literal(fields.get("mode", str), _MODES),
        status=_literal(fields.get("status", str), _STATUSES),
        from_seq=fields.count("from_seq"),
        to_seq=fields.maybe_count("to_seq"),
        events_checked=fields.count("events_checked"),
        checked_root=fields.maybe("checked_root", str),
        anchored_size=fields.maybe_count("anchored_size"),
        anchored_at=fields.maybe_date("anchored_at"),
        unanchored_events=fields.maybe_count("unanchored_events"),
        skew=SkewSummary(skew.count("events"), skew.maybe_count("seq"), skew.get("seconds", float)),
        incomplete_because=fields.maybe("incomplete_because", str),
        started_at=fields.date("started_at"),
        finished_at=fields.maybe_date("finished_at"),
        findings=tuple(_finding(Fields(item)) for item in fields.items("findings", dict)),
        findings_total=fields.count("findings_total"),
    )


def _finding(fields: Fields) -> Finding:
    return Finding(
        _literal(fields.get("kind", str), _KINDS),
        fields.maybe_count("seq"),
        fields.maybe("expected", str),
        fields.maybe("actual", str),
        fields.get("detail", str),
    )


def _reached(fields: Fields) -> Reached:
    return Reached(
        fields.count("number"),
        fields.maybe("digest", bytes),
        fields.count("size"),
        fields.maybe("root", bytes),
        fields.count("time"),
        fields.maybe("key", bytes),
    )


def _chain_state(settled: dict[str, Any] | None) -> ChainState | None:
    return None if settled is None else decode_settled(settled)


def _literal(value: str, allowed: tuple[_L, ...]) -> _L:
    for each in allowed:
        if each == value:
            return each
    raise NotOursError(f"{value!r} is not one of {', '.join(map(str, allowed))}")
