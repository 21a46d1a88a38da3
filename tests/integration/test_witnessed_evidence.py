"""What clients get of a witnessed log: a quorum verifies, offline too, and with one line fewer it does not."""

import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import uuid4

import orjson
import pytest
from pymongo import MongoClient

from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.note import VerifierKey, format_vkey, parse_note
from eventlog.formats.policy import parse_policy
from eventlog.http import audits
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog_client.cli import main
from eventlog_client.client import EventLog
from eventlog_client.witness_server import WitnessServer
from eventlog_client.witnesses import Witnesses
from local.server import build_app
from tests.support.anchored import ORIGIN, new_key
from tests.support.factories import draft
from tests.support.processes import run_here
from tests.support.serving import served
from tests.support.witness_servers import policy_of, witness_of
from tests.support.witnesses import ed25519

KEYS = ed25519("acme.example/w", 1), ed25519("beta.example/w", 2)


@dataclass
class WitnessedLog:
    """A served log with two witnesses, both of which must cosign."""

    folder: Path
    url: str
    wired: AuditWiring
    witnesses: list[WitnessServer]
    key: VerifierKey

    def append(self, count: int) -> None:
        self.wired.log.append("main", [draft() for _ in range(count)])

    def round(self) -> list[dict[str, Any]]:
        return list(audits.run_scheduled(self.wired, "incremental")["audits"])

    def command(self, *arguments: str) -> CompletedProcess[str]:
        """The command, with the log's key and the policy."""
        trust = "--key", format_vkey(self.key), "--policy", "policy"
        return run_here(self.folder, main, "--url", self.url, *arguments, *trust)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/api/v1{path}") as answer:
            return orjson.loads(answer.read())


@pytest.fixture(scope="module")
def log(
    mongo_uri: str, client: MongoClient[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WitnessedLog]:
    folder, name = tmp_path_factory.mktemp("witnessed"), f"test_{uuid4().hex[:12]}"
    key = VerifierKey(f"{ORIGIN}/main", new_key(folder / "key").public_key)
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=name,
        EVENTLOG_ORIGIN=ORIGIN,
        EVENTLOG_ANCHORS=str(folder / "anchors"),
        EVENTLOG_SIGNING_KEYS=str(folder / "key"),
        EVENTLOG_WITNESS_POLICY=str(folder / "policy"),
        EVENTLOG_WITNESS_CHAINS="mai*",
    )
    app = build_app(settings)
    with witness_of(folder / "acme", KEYS[0], key) as acme, witness_of(folder / "beta", KEYS[1], key) as beta:
        (folder / "policy").write_bytes(policy_of(("acme", KEYS[0], acme.url), ("beta", KEYS[1], beta.url)))
        with served(app) as url:
            log = WitnessedLog(folder, url, wiring_of(app, AuditWiring), [acme, beta], key)
            log.append(5)
            assert {each["status"] for each in log.round()} == {"intact"}
            yield log
    app.state.connection.close()
    client.drop_database(name)


def one_line_fewer(data: bytes) -> bytes:
    """A file without the line of beta, which is the last one."""
    at = data.rindex("— beta.example/w ".encode())
    return data[:at] + data[data.index(b"\n", at) + 1 :]


def test_all_that_hands_out_a_checkpoint_hands_out_the_lines_too(log: WitnessedLog) -> None:
    with EventLog(log.url, key=[format_vkey(log.key)]) as api:
        event = next(iter(api.events_by_seq("main", 2, 3)))
        notes = [
            api.checkpoint("main").note,
            api.checkpoint("main", 5).note,
            api.tlog("main", "checkpoint").decode(),
            str(api.prove(event).checkpoint),
            log.get("/chains/main")["last_checkpoint"]["note"],
        ]
    assert len(set(notes)) == 1
    policy = parse_policy((log.folder / "policy").read_bytes())
    assert list(Witnesses(policy).check(notes[0].encode()).times) == ["acme", "beta"]


@pytest.mark.parametrize("name", ["proof.tlog-proof", "proof.json"])
def test_a_proof_with_a_quorum_verifies_offline_and_fails_with_one_line_fewer(log: WitnessedLog, name: str) -> None:
    with EventLog(log.url) as api:
        event = next(iter(api.events_by_seq("main", 2, 3)))
    (log.folder / "event.json").write_bytes(orjson.dumps(log.get(f"/events/{event.entry.event_id}")))
    proven = log.command("prove", "event.json", "--out", name)
    assert (proven.returncode, "Witnessed: by acme at" in proven.stdout) == (0, True), proven
    whole = (log.folder / name).read_bytes()
    assert log.command("verify-proof", name).returncode == 0
    if name.endswith(".json"):
        fields = orjson.loads(whole)
        fewer = orjson.dumps(fields | {"checkpoint": one_line_fewer(fields["checkpoint"].encode()).decode()})
    else:
        fewer = one_line_fewer(whole)
    (log.folder / f"fewer-{name}").write_bytes(fewer)
    refused = log.command("verify-proof", f"fewer-{name}")
    assert (refused.returncode, refused.stderr) == (
        3,
        "eventlog: not witnessed: quorum orgs: 1 of 2; no line of beta.\n",
    )
    (log.folder / f"fewer-{name}").write_bytes(whole)
    old = log.command("verify-proof", f"fewer-{name}", "--max-witness-age", "0")
    assert old.returncode == 3
    assert "s old" in old.stderr


def test_a_bundle_has_the_lines_and_fails_without_one(log: WitnessedLog) -> None:
    assert run_here(log.folder, main, "--url", log.url, "export", "all.bundle").returncode == 0
    assert log.command("verify-bundle", "all.bundle").returncode == 0
    data = (log.folder / "all.bundle").read_bytes()
    header, _, rest = data.partition(b"\n")
    fields = orjson.loads(header)
    note = next(name for name, value in fields.items() if isinstance(value, str) and "beta.example/w" in value)
    fewer = header.replace(orjson.dumps(fields[note]), orjson.dumps(one_line_fewer(fields[note].encode()).decode()))
    assert fewer != header
    (log.folder / "fewer.bundle").write_bytes(fewer + b"\n" + rest)
    refused = log.command("verify-bundle", "fewer.bundle")
    assert (refused.returncode, "no line of beta" in refused.stderr) == (3, True), refused


def test_a_monitor_follows_a_witnessed_log(log: WitnessedLog) -> None:
    followed = run_here(
        log.folder, main, "verify-log", log.url, "--key", format_vkey(log.key), "--policy", "policy", "--state", "state"
    )
    assert followed.returncode == 0, followed
    assert "beta.example/w" in (log.folder / "state").read_text()


def test_a_stream_shows_a_checkpoint_first_and_its_lines_when_they_come(log: WitnessedLog) -> None:
    """The stream is open before the anchor is made; the checkpoint frame has no lines, and the next ones have both."""
    seen: list[tuple[str, dict[str, Any]]] = []
    opened, done = threading.Event(), threading.Event()

    def read() -> None:
        with urllib.request.urlopen(f"{log.url}/api/v1/events/stream") as lines:
            name = ""
            for line in lines:
                opened.set()
                text = line.decode().strip()
                if not text or text.startswith("event: "):
                    name = text.removeprefix("event: ")
                elif text.startswith("data: ") and name in {"checkpoint", "cosignatures"}:
                    seen.append((name, orjson.loads(text.removeprefix("data: "))))
                    told = [fields for which, fields in seen if which == "cosignatures" and fields["size"] == 8]
                    if sum(len(fields["lines"]) for fields in told) == 2:
                        break
        done.set()

    threading.Thread(target=read, daemon=True).start()
    assert opened.wait(60)
    log.append(3)
    log.round()
    assert done.wait(60), seen
    number = next(index for index, (name, fields) in enumerate(seen) if name == "checkpoint" and fields["size"] == 8)
    assert "acme.example/w" not in seen[number][1]["note"]
    lines = [line for name, fields in seen[number:] if name == "cosignatures" for line in fields["lines"]]
    note = parse_note((seen[number][1]["note"] + "".join(f"{line}\n" for line in lines)).encode())
    assert [each.key for each in verify_cosignatures(note, [key.key for key in KEYS])] == [key.key for key in KEYS]
    assert {fields["number"] for name, fields in seen[number:] if name == "cosignatures"} == {seen[number][1]["number"]}


def test_the_report_says_who_has_cosigned_and_since_when_one_is_silent(log: WitnessedLog) -> None:
    log.witnesses[1].shutdown()
    log.witnesses[1].server_close()
    log.append(1)
    log.round()
    log.round()
    report = log.get("/chains/main")["last_audit"]
    known = {each["name"]: each for each in report["witnesses"]}
    assert (known["acme"]["state"], known["beta"]["state"]) == ("cosigning", "silent")
    assert known["acme"]["size"] == known["beta"]["size"] + 1
    assert report["witnessed_size"] == known["beta"]["size"]
    assert known["beta"]["since"] > known["acme"]["since"]
