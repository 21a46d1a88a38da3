"""`make demo`: the main job on real input, and one sentence when the input is not fit for it."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from rich.console import Console

from eventlog.formats import hashing
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof
from local.demo.api_client import ApiClient
from local.demo.events_file import MAX_BYTES, EventLine, batches
from local.demo.run import Demo, main
from local.demo.tamper import forge
from local.machine import LocalError
from tests.support.anchoring import KEY, Key
from tests.support.processes import ASCII, ROOT, behind_a_proxy, run, run_here

GOOD = {"event_type": "t", "timestamp": "2026-11-14T09:30:00Z", "source_id": "s", "payload": {}}


def test_the_sample_is_logged_queried_audited_and_the_edit_is_found(tmp_path: Path) -> None:
    # Behind a proxy, and in a locale without characters: neither matters to a demo on this machine.
    result = run(tmp_path, "local.demo", **behind_a_proxy(), **ASCII)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    count = len((ROOT / "events" / "sample.ndjson").read_text(encoding="utf-8").splitlines())
    assert f"{count} events, each with a receipt" in result.stdout
    assert f"{count} events checked: intact" in result.stdout
    assert f"Proven under the signed tree of {count} events" in result.stdout
    assert f"{count} events checked: tampered" in result.stdout
    assert '"kind": "payload_mismatch"' in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_more_events_than_a_batch_holds_and_an_empty_payload_work(tmp_path: Path) -> None:
    (tmp_path / "many.ndjson").write_text(f"{json.dumps(GOOD)}\n" * 501)
    result = run(tmp_path, "local.demo", "many.ndjson")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert "501 events checked: tampered" in result.stdout


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "events.ndjson has no events."),
        (b"\n \n", "events.ndjson has no events."),
        (b"\xff", "events.ndjson is not UTF-8 text (byte 0)."),
        (b"[]", "events.ndjson, line 1 is not a JSON object."),
        (json.dumps(GOOD).encode() + b"\n\n{,\n", "events.ndjson, line 3 is not JSON: "),
    ],
)
def test_a_bad_file_is_told_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "events.ndjson").write_bytes(content)
    result = run_here(tmp_path, main, "events.ndjson")
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith(sentence)


def test_a_missing_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    result = run_here(tmp_path, main, "nowhere.ndjson")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "Can't read nowhere.ndjson: No such file or directory.\n"


def test_a_line_that_the_api_refuses_is_named(tmp_path: Path) -> None:
    bad = GOOD | {"timestamp": "yesterday"}
    (tmp_path / "events.ndjson").write_text(f"{json.dumps(GOOD)}\n\n{json.dumps(bad)}\n")
    result = run(tmp_path, "local.demo", "events.ndjson")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("events.ndjson, line 3 was refused: timestamp ")


@pytest.fixture
def wrong_demo(monkeypatch: pytest.MonkeyPatch) -> Demo:
    """The demo with an API that finds nothing, and takes everything for intact."""
    api = create_autospec(ApiClient, instance=True)
    api.find.return_value = []
    api.audit.return_value = {"status": "intact", "events_checked": 0, "findings": []}
    monkeypatch.setattr("local.demo.run.edit_payload", lambda *_: ("{}", "{}"))
    return Demo(api, "mongodb://127.0.0.1:1/", "eventlog", Console(quiet=True), KEY.public_key)


EVENT = GOOD | {"chain": "main", "seq": 0}


def test_a_query_that_misses_an_event_fails_the_demo(wrong_demo: Demo) -> None:
    with pytest.raises(LocalError, match="should find 1 events, and found 0"):
        wrong_demo.query([EVENT])


def test_an_audit_that_checks_too_little_fails_the_demo(wrong_demo: Demo) -> None:
    with pytest.raises(LocalError, match="The audit of the untouched chain says intact"):
        wrong_demo.audit_intact([EVENT])


def test_a_proof_by_another_key_fails_the_demo(wrong_demo: Demo) -> None:
    leaf_hash = hashing.leaf_hash(bytes(72))
    receipt = {"event_id": "e", "chain": "main", "seq": 0, "hash": leaf_hash.hex()}
    receipt |= dict.fromkeys(("content_hash", "prev_hash"), "00" * 32)
    receipt |= dict.fromkeys(("timestamp", "received_at"), "2026-11-23T12:00:00.000Z")
    checkpoint = sign_anchor(Checkpoint("localhost/eventlog/main", 1, leaf_hash), Seal(1, 0, NO_ANCHOR), [Key(2)])
    proof = format_tlog_proof(TlogProof(0, (), checkpoint, None))
    wrong_demo._api.proof_file.return_value = proof.decode()  # type: ignore[attr-defined]
    with pytest.raises(LocalError, match="The proof of event 0 does not verify: the note is not signed"):
        wrong_demo.prove(receipt)


def test_an_edit_that_is_not_found_fails_the_demo(wrong_demo: Demo) -> None:
    with pytest.raises(LocalError, match=r"should name seq 0 alone, and says \[\]"):
        wrong_demo.tamper(EVENT)


def test_batches_keep_under_the_limit_of_bytes_and_the_order() -> None:
    lines = [EventLine(number, "x" * (MAX_BYTES // 2), {}) for number in range(3)]
    assert [[line.number for line in batch] for batch in batches(lines)] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("payload", "forged"),
    [
        ({}, {"edited": True}),
        ({"a": True, "b": "x", "c": 2.0}, {"a": True, "b": "x", "c": 0.0}),
        ({"a": 0.0}, {"a": 1.0}),
        ({"a": None, "b": ["x"], "c": ""}, {"a": None, "b": ["x"], "c": " (edited)"}),
        ({"edited": True}, {"edited": False}),
    ],
)
def test_a_forged_payload_differs_from_the_stored_one(payload: dict[str, Any], forged: dict[str, Any]) -> None:
    assert forge(payload) == forged
