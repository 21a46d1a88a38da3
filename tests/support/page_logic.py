"""Cases of the dashboard's own logic: times as people type them, a payload, and verdicts in words."""

from typing import Any

NOW = "2026-11-25T12:30:15.250Z"
WHEN = {
    "": "",
    "  ": "",
    "now": NOW,
    "Today": "2026-11-25T00:00:00.000Z",
    "yesterday": "2026-11-24T00:00:00.000Z",
    "-2h": "2026-11-25T10:30:15.250Z",
    "2h ago": "2026-11-25T10:30:15.250Z",
    "- 15 min": "2026-11-25T12:15:15.250Z",
    "90s": "2026-11-25T12:28:45.250Z",
    "-1w": "2026-11-18T12:30:15.250Z",
    "999999w": "1970-01-01T00:00:00.000Z",
    "2026-11-23": "2026-11-23T00:00:00.000Z",
    " 2026-11-23 17:30 ": "2026-11-23T17:30:00.000Z",
    "2026-11-23T17:30": "2026-11-23T17:30:00.000Z",
    "2026-11-23 17:30:01.5": "2026-11-23T17:30:01.500Z",
    "2026-11-23T17:30:00+01:00": "2026-11-23T16:30:00.000Z",
    "2026-02-30": None,
    "someday": None,
    "2h30m": None,
    "-2y": None,
    "23.11.2026": None,
}
PAYLOAD = {"user": "u-17", "items": [{"sku": "X", "n": 2}], "a/b": {"~": None}, "ok": True, "none": {}}
STANDING = {"verdict": "tampered", "since": "2026-11-25T17:35:10.000Z", "findings_total": 1}
CLEAN = {"status": "intact", "started_at": "2026-11-25T17:32:00.000Z", "finished_at": "2026-11-24T17:32:01.000Z"}


def standing(*kinds: tuple[str, int | None], total: int | None = None, clean: bool = True) -> dict[str, Any]:
    findings = [{"kind": kind, "seq": seq, "found_at": NOW, "audit_id": "a"} for kind, seq in kinds]
    counted = len(kinds) if total is None else total
    return STANDING | {"findings": findings, "findings_total": counted, "last_intact": CLEAN if clean else None}


VERDICTS: list[tuple[dict[str, Any], str]] = [
    (standing(("payload_mismatch", 3)), "1 event of main was changed between 17:32 and 17:35 UTC."),
    (standing(("missing", 3), ("missing", 4)), "2 events of main were removed between 17:32 and 17:35 UTC."),
    (standing(("unexpected", 9)), "1 event of main was added between 17:32 and 17:35 UTC."),
    (standing(("hash_mismatch", 3), ("node_mismatch", 3)), "1 event of main was changed between 17:32 and 17:35 UTC."),
    (standing(("rewritten", None)), "1 finding in main: it happened between 17:32 and 17:35 UTC."),
    (standing(("missing", 3), total=300), "300 findings in main: it happened between 17:32 and 17:35 UTC."),
    (
        standing(("payload_mismatch", 3), clean=False),
        "1 event of main was changed before 17:35 UTC; no full audit was clean before.",
    ),
]
FIGURES = {
    "starts": ["2026-11-25T10:00:00.000Z", "2026-11-25T11:00:00.000Z"],
    "bucket": 3600,
    "series": [{"value": "a", "counts": [3, 0]}, {"value": "b", "counts": [2, 1]}, {"value": None, "counts": [1, 0]}],
}
IN_NEW_YORK = {
    "2026-07-01T12:00:00.007Z": ("2026-07-01 08:00:00.007", "\u221204:00"),
    "2026-11-01T05:30:00.000Z": ("2026-11-01 01:30:00.000", "\u221204:00"),
    "2026-11-01T06:30:00.000Z": ("2026-11-01 01:30:00.000", "\u221205:00"),
    "1970-01-01T00:00:00.000Z": ("1969-12-31 19:00:00.000", "\u221205:00"),
    "9999-12-31T23:59:59.999Z": ("9999-12-31 18:59:59.999", "\u221205:00"),
}
"""With the hour that is there twice, as summer time ends."""
RULES = [
    {"version": 1, "fields": {"who": ["/actor"]}},
    {"version": 2, "fields": {"user": ["/user"], "sku": ["/items/*/sku"], "ok": ["/ok"], "odd": ["/a~1b/~0"]}},
]
"""Search fields as they were declared, one after the other."""
