"""`make federation` ends as it says: two honest witnesses of three are enough to show a history that was rewritten."""

from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from local.federation.run import show


def test_a_rewritten_history_gets_no_quorum_and_is_found_by_the_audit_of_whoever_rewrote_it(
    mongo_uri: str, client: MongoClient[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    before = set(client.list_database_names())
    assert show(mongo_uri, client, tmp_path / "organisations", said.append), said
    told = "\n".join(said)
    assert told.count("accepted: cosigned by acme, beta, gamma") == 3 * 3 + 2
    assert "its own audit, asking nobody: 0 findings" in told
    assert "quorum federation: 0 of 2; no line of acme, beta, gamma" in told
    assert "acme's audit, main: rewritten: " in told
    assert "quorum federation: 1 of 2; no line of beta, gamma" in told
    assert [f"{name}'s witness refused" in told for name in ("acme", "beta", "gamma")] == [False, True, True]
    assert capsys.readouterr().err.count("there are two roots for size 12") == 2, "what the witnesses' operators see"
    left = set(client.list_database_names()) - before
    assert not [name for name in left if name.startswith("federation_")]
