"""Whom to ask when, what is known afterwards, and how much is witnessed; and the policy that names the witnesses."""

import threading
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from bson import Int64
from moto import mock_aws

from eventlog.audit.witness_knowledge import LONGEST_WAIT, after, asked, is_due, of_policy, witnessed_size
from eventlog.formats.cosignature import cosign
from eventlog.formats.cosigned_note import MAX_LINES, format_line, parse_line, signed_by, with_lines
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import parse_note
from eventlog.formats.policy import parse_policy
from eventlog.store.errors import StoreUnavailableError
from eventlog.stored import codec
from eventlog.stored.cosignatures import StoredCosignature, encode_cosignature, read_cosignature
from eventlog.stored.errors import NotOursError
from eventlog.stored.witness_records import COSIGNING_STATES, WitnessRecord, encode_record, read_record
from eventlog.witnessing.asking import CosigningOutcome
from eventlog.witnessing.at_once import THREADS, run_at_once
from eventlog.witnessing.policies import READ_AGAIN_SECONDS, PolicySource
from tests.support.each import each
from tests.support.evidence import LINE
from tests.support.witness_requests import LOG, TIME, W, note
from tests.support.witness_servers import policy_of
from tests.support.witnesses import ed25519, ml_dsa

NOW, MINUTE, FRESH = 1_764_000_000_000, 60_000, 600_000
NEW = WitnessRecord(chain="main", witness="w0", since=NOW)
KEYS = [ed25519(f"w{number}.example/w", number) for number in range(40)]


@each(
    "record, has_line, due",
    [
        (NEW, False, True),
        (replace(NEW, asked_at=NOW - 1), False, True),
        (replace(NEW, asked_at=NOW - 1), True, False),
        (replace(NEW, asked_at=NOW - FRESH), True, True),
        (replace(NEW, asked_at=NOW + 1), True, True),  # nobody has asked in the future
        (replace(NEW, next_try=NOW + 1), False, False),
        (replace(NEW, next_try=NOW), False, True),
        (replace(NEW, next_try=NOW + LONGEST_WAIT), False, False),
        (replace(NEW, next_try=NOW + LONGEST_WAIT + 1), False, True),  # no version waits so long
    ],
)
def test_who_is_due(record: WitnessRecord, has_line: bool, due: bool) -> None:
    assert is_due(record, NOW, has_line=has_line, fresh_millis=FRESH) == due


def test_a_witness_that_does_not_answer_is_asked_after_1_2_4_to_60_minutes() -> None:
    record, waits = NEW, []
    for _ in range(8):
        record = after(record, CosigningOutcome(state="silent"), 5, NOW)
        waits.append((record.next_try - NOW) // MINUTE)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert after(NEW, CosigningOutcome(state="unknown"), 5, NOW).next_try == NOW + 60 * MINUTE


def test_what_was_shown_is_kept_until_the_witness_cosigns() -> None:
    ahead = after(NEW, CosigningOutcome(state="ahead", shown=b"note"), 5, NOW + 1)
    silent = after(ahead, CosigningOutcome(state="silent"), 5, NOW + 2)
    again = after(silent, CosigningOutcome(state="cosigning", time=7), 6, NOW + 3)
    assert [each.evidence for each in (ahead, silent, again)] == ["note", "note", None]
    assert [each.since for each in (ahead, silent, again)] == [NOW + 1, NOW + 2, NOW + 3]
    assert (again.size, again.time, again.failures, again.next_try) == (6, 7000, 0, 0)
    assert after(again, CosigningOutcome(state="cosigning", time=8), 7, NOW + 4).since == NOW + 3


@each(
    "sizes, needed, witnessed",
    [
        ((None, None, None), 2, None),
        ((9, None, None), 2, None),
        ((9, 5, None), 2, 5),
        ((9, 5, 7), 2, 7),
        ((9, 5, 7), 3, 5),
        ((9, 9, 2), 1, 9),
    ],
)
def test_how_much_is_witnessed(sizes: tuple[int | None, ...], needed: int, witnessed: int | None) -> None:
    policy = parse_policy(policy_of(*((f"w{n}", KEYS[n], "https://w.example") for n in range(3)), needed=needed))
    records = [replace(NEW, witness=f"w{number}", size=size) for number, size in enumerate(sizes)]
    assert witnessed_size(policy, records) == witnessed
    assert witnessed_size(replace(policy, quorum=None), records) is None


def test_only_witnesses_with_an_address_are_asked() -> None:
    data = policy_of(("w0", KEYS[0], "https://w.example"), ("w1", KEYS[1], ""))
    policy = parse_policy(data)
    assert [witness.name for witness in asked(policy)] == ["w0"]
    assert [record.witness for record in of_policy(policy, "main", [replace(NEW, chain="other")], NOW)] == ["w0"]


def test_a_checkpoint_is_served_with_its_lines_in_one_order_and_with_no_more_than_it_may_have() -> None:
    signed = note(5)
    text = parse_note(signed).text
    lines = [format_line(line) for line in cosign(text, TIME, KEYS)]
    served = with_lines(signed, reversed(lines))
    assert served.startswith(signed)
    names = [line.name for line in parse_note(served).signatures[1:]]
    assert (names, len(names)) == (sorted(names), MAX_LINES)
    assert with_lines(served, lines[:3]) == served, "whose line is there is not added again"
    assert signed_by(served, [LOG]) == signed
    bad = ["", "x", lines[0] + "\n", "— w AAAA", lines[0].replace("w0.example", "w" * 256)]
    assert with_lines(signed, bad) == signed
    assert [parse_line(line).name for line in lines[:1]] == ["w0.example/w"]
    with pytest.raises(EvidenceError):
        parse_line(signed.decode().splitlines()[-1])  # the log's own is no cosignature


@pytest.mark.parametrize("key", [W, ml_dsa("witness.example/w1", 2)], ids=["ed25519", "ml-dsa"])
def test_a_stored_cosignature_is_read_only_as_it_was_written(key: object) -> None:
    (line,) = cosign(parse_note(note(5)).text, TIME, [key])  # type: ignore[list-item]
    stored = StoredCosignature("main", 3, 5, line.name, format_line(line))
    document = codec.decode(encode_cosignature(stored))
    assert document["_id"] == f"main/000000000003/{line.key_id.hex()}"
    assert read_cosignature(document) == stored
    odd: list[dict[str, object]] = [
        {"_id": "main/000000000004/" + line.key_id.hex()},
        {"number": 3},
        {"number": Int64(0)},
        {"size": Int64(-1)},
        {"witness": "other"},
        {"time": document["time"].__class__(0)},
        {"line": document["line"] + "\n"},
        {"line": LINE},
        {"more": 1},
    ]
    for fields in odd:
        with pytest.raises(NotOursError):
            read_cosignature(document | fields)


def test_what_is_known_of_a_witness_is_stored_and_read_again() -> None:
    for state in COSIGNING_STATES:
        for record in (replace(NEW, state=state), replace(NEW, state=state, size=3, time=7, asked_at=8, evidence="x")):
            assert read_record(encode_record(record)) == record
    for odd in ({"state": "fine"}, {"size": "3"}, {"since": None}, {"evidence": 7}):
        with pytest.raises(NotOursError):
            read_record(codec.encode(codec.decode(encode_record(NEW)) | odd))


def test_tasks_that_do_not_end_hold_nobody_up_and_those_behind_them_do_not_begin() -> None:
    release = threading.Event()
    tasks = [object() for _ in range(THREADS + 3)]
    ended, begun = run_at_once(tasks, lambda _: release.wait(), 0.05)
    release.set()
    assert (ended, set(map(id, begun))) == ([], set(map(id, tasks[:THREADS])))
    done, left = run_at_once(tasks, id, 60)
    assert (sorted(result for _, result in done), left) == (sorted(map(id, tasks)), [])
    assert run_at_once([], id, 60) == ([], [])


def test_a_policy_is_read_again_after_a_while_and_one_that_can_t_be_used_is_told(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "policy"
    source = PolicySource(str(path), lambda: now[0])
    with pytest.raises(StoreUnavailableError, match="No such file"):
        source.current()
    path.write_bytes(policy_of(("w0", W, "https://w.example")))
    assert source.current().witnesses[0].name == "w0"
    path.write_bytes(b"quorum x\n")
    now[0] = READ_AGAIN_SECONDS - 1
    assert source.current().witnesses[0].name == "w0"
    now[0] = READ_AGAIN_SECONDS
    with pytest.raises(StoreUnavailableError, match="line 1 of the policy"):
        source.current()
    for name in ("\udcff", "\u0085", "x" * 101):
        named = b" " + name.encode("utf-8", "surrogateescape")
        path.write_bytes(policy_of(("w0", W, "https://w.example")).replace(b" w0", named))
        with pytest.raises(StoreUnavailableError, match="a log can't ask a witness of the name"):
            source.current()


def test_a_policy_may_be_a_parameter_of_ssm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        text = policy_of(("w0", W, "https://w.example")).decode()
        boto3.client("ssm").put_parameter(Name="/log/witnesses", Value=text, Type="String")
        assert PolicySource("ssm:/log/witnesses").current().witnesses[0].name == "w0"
        with pytest.raises(StoreUnavailableError, match="ParameterNotFound: ssm:/log/other"):
            PolicySource("ssm:/log/other").current()
