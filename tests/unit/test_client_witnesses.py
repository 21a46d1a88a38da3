"""What the command asks of witnesses: every verifying command, with every way in which a quorum is there or not."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest

from eventlog.formats.cosignature import cosign
from eventlog.formats.note import Note, Signature, format_note, format_vkey, parse_note, parse_vkey
from eventlog.formats.policy import parse_policy
from eventlog_client import EvidenceError, NotWitnessedError
from eventlog_client.cli import main
from eventlog_client.state import read_state
from eventlog_client.witnesses import Witnesses
from tests.support.each import each
from tests.support.evidence import Key, checkpoint_of, signed
from tests.support.processes import run_here
from tests.support.small_log import VKEY, SmallLog, small_log
from tests.support.witnesses import cosigned, ed25519, ml_dsa, policy

W0, W1 = ed25519("witness.example/w0", 1), ml_dsa("witness.org/w1", 2)
BOTH = policy("orgs", W0, W1)
TIME = 1_764_000_000


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallLog]:
    monkeypatch.setattr("eventlog_client.witnesses.PATIENCE", (0.0, 0.0))
    (tmp_path / "policy").write_bytes(BOTH)
    with small_log() as log:
        log.cosigned_at = TIME
        (tmp_path / "receipt.json").write_text(json.dumps(log.receipt()))
        yield log


def write_evidence(folder: Path, log: SmallLog) -> None:
    """Proof and bundle, as they are with the log's cosigners."""
    (folder / "proof.json").write_text(json.dumps(log.proof()))
    (folder / "bundle").write_bytes(log.bundle)
    run(folder, log, "prove", "receipt.json", "--key", VKEY, "--out", "proof.tlog-proof")


def run(folder: Path, log: SmallLog, *arguments: str) -> CompletedProcess[str]:
    log.asked.clear()
    return run_here(folder, main, "--url", log.url, *arguments)


COMMANDS = [
    ("prove", "receipt.json"),
    ("verify-proof", "proof.json"),
    ("verify-proof", "proof.tlog-proof", "--receipt", "receipt.json"),
    ("verify-bundle", "bundle"),
    ("verify-log", "URL"),
    ("tail", "--verify", "--from-seq", "0"),
]


def checked(folder: Path, log: SmallLog, command: tuple[str, ...], *more: str) -> CompletedProcess[str]:
    arguments = [log.url if given == "URL" else given for given in command]
    return run(folder, log, *arguments, "--key", VKEY, "--policy", "policy", *more)


@each("command", COMMANDS)
def test_each_command_is_content_with_a_quorum_and_names_what_is_missing(
    command: tuple[str, ...], tmp_path: Path, log: SmallLog
) -> None:
    """Tail is shown one stream, and then none (404), so that it ends with code 1."""
    fine = 1 if command[0] == "tail" else 0
    log.cosigners = [W0, W1, ed25519("a stranger".replace(" ", "-"), 7)]
    write_evidence(tmp_path, log)
    done = checked(tmp_path, log, command)
    assert done.returncode == fine, done.stderr
    if command[0] != "verify-log":
        said = "Witnessed: by w0 at 2025-11-24T16:00:00.000Z, w1 at 2025-11-24T16:00:00.000Z."
        assert said in done.stdout + done.stderr
    log.cosigners = [W0]
    write_evidence(tmp_path, log)
    done = checked(tmp_path, log, command)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        3,
        "eventlog: not witnessed: quorum orgs: 1 of 2; no line of w1.",
    )


@each("command", COMMANDS)
def test_cosignatures_change_nothing_for_who_asks_for_none(
    command: tuple[str, ...], tmp_path: Path, log: SmallLog
) -> None:
    log.cosigners = [W0, W1]
    write_evidence(tmp_path, log)
    arguments = [log.url if given == "URL" else given for given in command]
    assert run(tmp_path, log, *arguments, "--key", VKEY).returncode == (1 if command[0] == "tail" else 0)


def test_a_checkpoint_with_other_cosignatures_is_the_same_checkpoint(tmp_path: Path, log: SmallLog) -> None:
    (tmp_path / "alone").write_bytes(log.note)
    log.cosigners = [W0, W1]
    (tmp_path / "cosigned").write_bytes(log.note)
    done = run(tmp_path, log, "compare", "alone", "cosigned", "--key", VKEY)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@each("command", COMMANDS)
def test_an_old_cosignature_counts_as_none(command: tuple[str, ...], tmp_path: Path, log: SmallLog) -> None:
    log.cosigners, log.cosigned_at = [W0, W1], TIME
    write_evidence(tmp_path, log)
    done = checked(tmp_path, log, command, "--max-witness-age", "60")
    assert done.returncode == 3
    assert "quorum orgs: 0 of 2; no line of w0, w1; the line of w0 is " in done.stderr
    log.cosigned_at = int(time.time())
    write_evidence(tmp_path, log)
    assert checked(tmp_path, log, command, "--max-witness-age", "3600").returncode in {0, 1}


@each("command", COMMANDS[-2:])
def test_lines_that_come_a_little_later_are_waited_for(command: tuple[str, ...], tmp_path: Path, log: SmallLog) -> None:
    log.cosigners, log.late = [W0, W1], True
    done = checked(tmp_path, log, command)
    assert done.returncode in {0, 1}, done.stderr
    assert "not witnessed" not in done.stderr


def test_a_proof_waits_for_the_witnesses_too(tmp_path: Path, log: SmallLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked after the checkpoint was signed; here the second has cosigned when it is asked for again."""

    def sleep(_: float) -> None:
        log.cosigners = [W0, W1]

    log.cosigners = [W0]
    monkeypatch.setattr("eventlog_client.commands.proofs.POLL_SECONDS", 0.0)
    assert checked(tmp_path, log, ("prove", "receipt.json")).returncode == 3
    monkeypatch.setattr(Witnesses.__init__, "__defaults__", (None, time.time, sleep))
    done = checked(tmp_path, log, ("prove", "receipt.json", "--wait", "60"))
    assert (done.returncode, "Witnessed: by w0 at" in done.stdout) == (0, True), done.stderr


def test_a_monitor_that_goes_on_tells_of_a_missing_quorum_and_trusts_what_has_one(
    tmp_path: Path, log: SmallLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter([[W0], [W0, W1]])

    def between(_: float) -> None:
        try:
            log.cosigners = next(rounds)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("eventlog_client.commands.watch.time", SimpleNamespace(sleep=between))
    done = checked(tmp_path, log, ("verify-log", "URL", "--every", "1", "--state", "state"))
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"eventlog: not witnessed: quorum orgs: {lack}; trying again."
        for lack in ("0 of 2; no line of w0, w1", "1 of 2; no line of w1")
    ]
    assert done.stdout.count("size 3 verified") == 1
    assert (tmp_path / "state").exists()


def test_a_monitor_s_state_does_not_go_on_without_a_quorum(tmp_path: Path, log: SmallLog) -> None:
    state = tmp_path / "state"
    command = ("verify-log", "URL", "--state", "state")
    log.cosigners = [W0]
    assert checked(tmp_path, log, command).returncode == 3
    assert not state.exists()
    log.cosigners, log.late = [W0, W1], True
    assert checked(tmp_path, log, command).returncode == 0
    trusted = read_state(state)
    assert trusted is not None
    kept = parse_note(trusted.note.encode()).signatures
    assert [line.name for line in kept[1:]] == [W0.key.name, W1.key.name]
    assert checked(tmp_path, log, command).returncode == 0, "what was kept is read again"


def test_a_wrong_line_of_a_known_witness_refuses_the_whole_note(tmp_path: Path, log: SmallLog) -> None:
    log.cosigners = [W0, W1]
    (line, other) = cosign(parse_note(log.note).text, TIME, [W0, W1])
    wrong = Signature(line.name, line.key_id, line.value[:-1] + bytes([line.value[-1] ^ 1]))
    note = parse_note(signed(checkpoint_of(log.events)))
    note = Note(note.text, (*note.signatures, wrong, other))
    (tmp_path / "proof.json").write_text(json.dumps(log.proof() | {"checkpoint": format_note(note).decode()}))
    done = checked(tmp_path, log, ("verify-proof", "proof.json"))
    assert (done.returncode, "the evidence does not verify" in done.stderr) == (3, True)
    (tmp_path / "policy").write_bytes(policy("orgs", W1))
    assert checked(tmp_path, log, ("verify-proof", "proof.json")).returncode == 0, "of an unknown key it is ignored"


def test_a_policy_s_logs_are_keys_too(tmp_path: Path, log: SmallLog) -> None:
    log.cosigners = [W0, W1]
    write_evidence(tmp_path, log)
    (tmp_path / "policy").write_bytes(f"log {VKEY}\n".encode() + BOTH)
    done = run(tmp_path, log, "--json", "verify-proof", "proof.json", "--policy", "policy")
    assert done.returncode == 0
    assert json.loads(done.stdout)["witnessed"] == {"w0": "2025-11-24T16:00:00.000Z", "w1": "2025-11-24T16:00:00.000Z"}
    assert checked(tmp_path, log, ("verify-bundle", "bundle")).returncode == 0
    other = format_vkey(Key("other").named())
    for words in (("--key", other), ("--key", VKEY, "--key", other)):
        done = run(tmp_path, log, "verify-proof", "proof.json", "--policy", "policy", *words)
        assert (done.returncode, "the policy names other logs than this key's" in done.stderr) == (2, True)
    assert parse_vkey(VKEY) in [each.key for each in parse_policy((tmp_path / "policy").read_bytes()).logs]


@each(
    "options, words",
    [
        (("verify-proof", "proof.json", "--policy", "policy"), "the policy names no log"),
        (("verify-proof", "proof.json", "--key", VKEY, "--max-witness-age", "9"), "take --policy"),
        (
            ("verify-bundle", "bundle", "--key", VKEY, "--policy", "bad"),
            "bad: line 1 of the policy: a line begins with",
        ),
        (("tail", "--key", VKEY, "--policy", "policy"), "with --verify only"),
        (("policy", "check", "bad"), "bad: line 1 of the policy"),
    ],
)
def test_what_can_not_be_meant_is_refused_as_wrong_usage(
    options: tuple[str, ...], words: str, tmp_path: Path, log: SmallLog
) -> None:
    (tmp_path / "bad").write_bytes(b"quora w0\n")
    done = run(tmp_path, log, *options)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert log.asked == []


def test_an_age_is_between_the_two_clocks() -> None:
    note = cosigned(b"log.example/main\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n" + LINE, TIME, W0, W1)
    for now, old in ((TIME, True), (TIME + 60, True), (TIME + 61, False), (TIME - 300, True), (TIME - 301, False)):
        witnesses = Witnesses(parse_policy(BOTH), 60, clock=lambda now=now: float(now))  # type: ignore[misc]
        if old:
            assert witnesses.check(note).times == {"w0": TIME, "w1": TIME}
            continue
        with pytest.raises(NotWitnessedError, match=r"is 61 s old|is 301 s in the future"):
            witnesses.check(note)
    with pytest.raises(EvidenceError, match="is not valid"):
        Witnesses(parse_policy(BOTH)).check(note.replace(b"\n0\n", b"\n1\n"))


LINE = "— log.example/main AAAAAAA=\n".encode()
