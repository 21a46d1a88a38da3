"""``eventlog status`` names everything that is not in order, and what belongs to no chain too."""

import json
from typing import Any
from unittest.mock import patch

import pytest

from eventlog_client.cli import main
from tests.support.each import each
from tests.support.small_log import small_log

AUDIT = {"finished_at": "2026-11-28T00:00:00.000Z"}
FOUND = {"kind": "unexpected", "seq": None, "found_at": "2026-11-28T00:00:00.000Z", "audit_id": "a"}
ROW = "(of no chain)\t"


@each(
    "verdict, code, named",
    [
        ("intact", 0, None),
        ("not_audited", 0, None),
        ("incomplete", 0, f"{ROW}incomplete: the last full audit could not check everything"),
        ("tampered", 3, f"{ROW}TAMPERED\t1"),
    ],
)
def test_what_belongs_to_no_chain_is_named_unless_it_is_in_order(
    verdict: str, code: int, named: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [FOUND] if verdict == "tampered" else []
    standing: dict[str, Any] = {"verdict": verdict, "findings": found, "findings_total": len(found)}
    standing |= {"since": FOUND["found_at"] if found else None, "last_full_audit": AUDIT}
    chains = {"tampered": 0, "incomplete": 0, "not_audited": 0, "intact": 2}
    shown: dict[str, Any] = {"verdict": verdict, "chains": chains, "tampered": [], "next": None, "database": standing}
    with small_log() as log, patch.object(log, "answer", lambda _: ("application/json", json.dumps(shown).encode())):
        assert main(["--url", log.url, "status"]) == code
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "2 chains: 0 tampered, 0 incomplete, 0 not audited, 2 intact."
    assert [line.startswith(str(named)) for line in rest] == ([] if named is None else [True])
