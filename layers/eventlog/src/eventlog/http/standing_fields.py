"""How what stands of a chain is shown (``standing_schemas.py``)."""

from typing import Any

from eventlog.formats.errors import EvidenceError
from eventlog.formats.standing import FullAudit, StandingNote, StandingVerdict, read_standing
from eventlog.formats.times import format_time
from eventlog.store.interface.standings import StandingRow

FEW = 3
"""Findings of a chain that are named in a list of many chains."""


def standing_of(row: StandingRow | None) -> StandingNote | None:
    """Read a stored standing; None if there is none, or if what is there can't be read: both are no praise.

    Who signed it is not asked: as all that a query answers it is what the database says. The note is shown with it.
    """
    if row is None:
        return None
    try:
        found = read_standing(row.note)
    except EvidenceError:
        return None
    return found if found.chain == row.chain else None


def shown_standing(row: StandingRow | None, few: int | None = None) -> dict[str, Any]:
    """Show a standing, with its note; with ``few`` as a list shows it: the first few findings, and no note."""
    standing = standing_of(row)
    found = () if standing is None else standing.findings
    verdict: StandingVerdict = "not_audited" if standing is None else standing.verdict
    shown: dict[str, Any] = {
        "verdict": verdict,
        "last_full_audit": _audit(standing.full if standing else None),
        "last_intact": _audit(standing.intact if standing else None),
        "since": format_time(found[0].found) if found else None,
        "findings": [
            {"kind": one.kind, "seq": one.seq, "found_at": format_time(one.found), "audit_id": one.audit_id}
            for one in found[:few]
        ],
        "findings_total": standing.total if standing else 0,
    }
    return shown if few is not None else shown | {"note": row.note.decode() if row and standing else None}


def _audit(audit: FullAudit | None) -> dict[str, Any] | None:
    if audit is None:
        return None
    return {
        "audit_id": audit.audit_id,
        "status": audit.status,
        "started_at": format_time(audit.started),
        "finished_at": format_time(audit.finished),
        "events_checked": audit.events,
    }
