"""A log that lies, one lie at a time: the real API behind something that changes its answers; each ends in code 3."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.event_json import receipt_of
from eventlog.formats.note import format_vkey
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog_client.appends import receipt_fields
from eventlog_client.cli import main
from eventlog_client.commands import watch
from local.server import build_app
from tests.support.anchoring import KEY, put_anchor
from tests.support.factories import draft
from tests.support.serving import Change, Lying, served

ORIGIN = "localhost/eventlog"
VKEY = format_vkey(KEY.verifier(ORIGIN))


@dataclass
class Log:
    """The lying log, and the command as its user runs it."""

    url: str
    lying: Lying
    store: MongoStore
    folder: Path

    def lie(self, part: str, change: Callable[[bytes], bytes]) -> None:
        """Change the answers to requests whose path has this in it."""
        self.lying.change = lambda path, body: change(body) if part in path else body

    def run(self, *arguments: str | Path) -> int:
        return main(["--url", self.url, *map(str, arguments)])

    def monitor(self) -> int:
        return self.run("verify-log", self.url, "--key", VKEY, "--state", self.folder / "state", "--events")


@pytest.fixture
def log(mongo_uri: str, database: str, tmp_path: Path, store: MongoStore) -> Iterator[Log]:
    """A log of 300 events, signed, with its owner's receipts in files."""
    store = MongoStore(operations_of(store), ORIGIN)
    store.append("main", [draft() for _ in range(300)])
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    lying = Lying(app)
    with served(lying, quiet=True) as url:
        put_anchor(store)
        yield Log(url, lying, store, tmp_path)
    app.state.connection.close()


def field(name: str, value: Any) -> Callable[[bytes], bytes]:
    """Change a member of a JSON answer."""
    return lambda body: json.dumps(json.loads(body) | {name: value}).encode()


def flip(place: int) -> Callable[[bytes], bytes]:
    """Change one bit."""
    return lambda body: body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


APPEND = ("append", "--type", "t", "--source", "s", "--payload", "{}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", "other"),
        ("chain", "other"),
        ("seq", 299),
        ("timestamp", "2020-01-01T00:00:00.000Z"),
        ("content_hash", "0" * 64),
        ("prev_hash", "0" * 64),
        ("hash", "0" * 64),
        ("hash", 5),
    ],
)
def test_a_receipt_with_a_field_changed_is_caught(
    log: Log, name: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    log.lie("/events", field(name, value))
    assert log.run(*APPEND) == 3
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == 1
    assert "the log misbehaved: the receipt is not one of what was sent" in shown.err
    assert len(json.loads(shown.out.splitlines()[-1])["evidence"]) == 2


def test_a_batch_with_two_receipts_swapped_is_caught(log: Log) -> None:
    event = {"event_type": "t", "source_id": "s", "payload": {}, "timestamp": "2026-11-23T12:34:56Z"}
    (log.folder / "events.ndjson").write_text(f"{json.dumps(event)}\n" * 3)
    log.lie("/batch", lambda body: json.dumps({"receipts": json.loads(body)["receipts"][::-1]}).encode())
    assert log.run("append", "--file", log.folder / "events.ndjson") == 3


@pytest.mark.parametrize("name", ["payload", "source_id", "principal", "received_at", "salt", "prev_hash"])
def test_a_shown_event_with_a_field_changed_is_caught(log: Log, name: str) -> None:
    other = {"payload": {"n": 2}, "received_at": "2020-01-01T00:00:00.000Z", "salt": "0" * 32, "prev_hash": "0" * 64}
    log.lie("/events", field(name, other.get(name, "other")))
    assert log.run("query", "--limit", "1") == 3


def test_a_missing_event_in_a_range_is_caught_by_the_monitor(log: Log) -> None:
    log.lie("/events?", lambda body: b"\n".join(line for at, line in enumerate(body.splitlines()) if at != 7))
    assert log.monitor() == 3


@pytest.mark.parametrize("place", [0, 2, 9, 42, 74 * 255 + 50])
def test_one_changed_bit_of_the_entries_is_caught(log: Log, place: int) -> None:
    log.lie("/tile/entries/000", flip(place))
    assert log.monitor() == 3


def test_an_older_checkpoint_is_caught_and_both_are_kept(
    log: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE", (0.0, 0.0))
    older = put_anchor(log.store, 200).note
    newer = put_anchor(log.store, 300).note
    assert log.monitor() == 0
    log.lie("/tlog/checkpoint", lambda _: older)
    assert log.monitor() == 3
    kept = json.loads((log.folder / "state.evidence-1.json").read_text())
    assert kept["evidence"] == [newer.decode(), older.decode()]
    assert "the log went back: it signed size 300 before, and shows size 200 now" in capsys.readouterr().err


def test_a_second_root_of_one_size_is_caught_and_the_evidence_speaks_for_itself(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log.monitor() == 0
    fork = sign_anchor(Checkpoint(f"{ORIGIN}/main", 300, bytes(32)), Seal(2, 2, NO_ANCHOR), [KEY])
    log.lie("/tlog/checkpoint", lambda _: fork)
    assert log.monitor() == 3
    assert main(["compare", str(log.folder / "state.evidence-1.json"), "--key", VKEY]) == 3
    assert "proof of misconduct by itself" in capsys.readouterr().out


def test_after_a_lie_the_state_is_what_it_was(log: Log) -> None:
    assert log.monitor() == 0
    before = (log.folder / "state").read_bytes()
    log.store.append("main", [draft() for _ in range(5)])
    put_anchor(log.store)
    log.lie("/tile/entries/001", flip(74 * 47))
    assert log.monitor() == 3
    assert (log.folder / "state").read_bytes() == before
    log.lying.change = lambda _, body: body
    assert log.monitor() == 0


def receipt_file(log: Log) -> Path:
    """The receipt of an event with the id ``mine``, which a checkpoint covers."""
    (placed,) = log.store.append("main", [draft("mine")])
    put_anchor(log.store)
    path = log.folder / "receipt.json"
    path.write_text(json.dumps(receipt_fields(receipt_of(placed.event))))
    return path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("leaf_index", 299),
        ("tree_size", 300),
        ("leaf", "0" * 144),
        ("leaf_hash", "0" * 64),
        ("hashes", []),
        ("root", "0" * 64),
        ("checkpoint", None),
        ("checkpoint", "nonsense"),
        ("chain", "other"),
    ],
)
def test_a_proof_with_a_field_changed_is_caught(log: Log, name: str, value: Any) -> None:
    receipt = receipt_file(log)
    assert log.run("prove", receipt, "--key", VKEY) == 0
    log.lie("/proof", field(name, value))
    assert log.run("prove", receipt, "--key", VKEY) == 3


def test_a_proof_of_another_event_than_the_receipt_s_is_caught(log: Log) -> None:
    receipt = receipt_file(log)
    value = json.loads(receipt.read_text())
    log.store.append("main", [draft("other")])
    put_anchor(log.store)
    receipt.write_text(json.dumps(value | {"event_id": "other"}))
    assert log.run("prove", receipt, "--key", VKEY) == 3


def test_an_event_that_is_denied_is_caught(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    receipt = receipt_file(log)
    log.store.settle("main")
    operations_of(log.store).events.delete_one({"_id": "main/mine"})
    assert log.run("prove", receipt, "--key", VKEY) == 3
    assert "the log gave a receipt for event mine and does not have it" in capsys.readouterr().err


def test_an_export_with_one_changed_byte_is_caught(log: Log) -> None:
    bundle = log.folder / "bundle"
    assert log.run("export", bundle, "--from-seq", "10", "--to-seq", "20") == 0
    assert log.run("verify-bundle", bundle, "--key", VKEY) == 0
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b'"source_id":"app"', b'"source_id":"apq"', 1))
    assert log.run("verify-bundle", bundle, "--key", VKEY) == 3


def test_an_honest_log_is_never_accused(log: Log) -> None:
    honest: Change = lambda _, body: body  # noqa: E731
    log.lying.change = honest
    receipt = receipt_file(log)
    assert [log.monitor(), log.run("prove", receipt, "--key", VKEY), log.run(*APPEND), log.run("query")] == [0] * 4
