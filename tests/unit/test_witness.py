"""What a witness answers, in the order of its checks, and what it remembers."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from eventlog.formats.checkpoint import Checkpoint, parse_checkpoint
from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.note import Note, VerifierKey, format_note, format_vkey, parse_note, parse_vkey
from eventlog.formats.witness_protocol import AddCheckpoint, format_request, origin_hash
from eventlog.witness import directory
from eventlog.witness import s3 as s3_state
from eventlog.witness.state import MAX_KEPT, StateLostError
from eventlog.witness.witness import Witness, WitnessAnswer
from tests.support.each import each
from tests.support.evidence import LINE, Key, checkpoint_of, signed
from tests.support.witness_memories import InDirectory, new_bucket, some_s3
from tests.support.witness_requests import LOG, TIME, Told, W, body, history, note, proof, verified
from tests.support.witnesses import cosigned, ed25519, ml_dsa

PQ = ml_dsa("witness.example/w1", 1)
ROOT = Path(__file__).parents[2]


New = Callable[[], Told]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with some_s3() as client:
        yield client


@pytest.fixture(params=["directory", "bucket"])
def new(request: pytest.FixtureRequest, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> New:
    """A witness that has no memory yet, in a place of its own."""
    if request.param == "bucket":
        return lambda: Told(new_bucket(s3))
    return lambda: Told(InDirectory(tmp_path_factory.mktemp("witness") / "memory"))


@pytest.fixture
def witness(new: New) -> Told:
    found = new()
    assert found.state.add_log(LOG)
    return found


def test_the_vector_s_request_gets_the_vector_s_answer(new: New) -> None:
    vector: dict[str, Any] = json.loads((ROOT / "tests/vectors/cosignatures.json").read_text(encoding="utf-8"))
    witness = new()
    witness.keys, witness.time = (ed25519("witness.example/w1", bytes(range(32, 64))),), vector["time"]
    witness.state.add_log(parse_vkey(vector["log"]))
    assert witness.ask(vector["request"].encode()) == WitnessAnswer(200, vector["answer"].encode())


def test_a_log_that_grows_is_cosigned_each_time_and_served(witness: Told) -> None:
    witness.keys = (W, PQ)
    at = 0
    for size in (0, 1, 3, 3, 7, 8, 20):
        witness.time += 60
        assert verified(witness.ask(body(at, size)), size, W.key, PQ.key) == [witness.time] * 2
        at = size
        served = Witness(witness.state, witness.keys, witness.told.append).checkpoint(origin_hash(LINE))
        assert served is not None
        assert parse_checkpoint(parse_note(served).text) == checkpoint_of(history()[:size])
        assert len(verify_cosignatures(parse_note(served), [W.key, PQ.key])) == 2
    assert witness.told == []


def test_what_others_put_below_the_checkpoint_is_not_kept(witness: Told) -> None:
    """An old time under the witness's own name, say, which would be taken for its last one."""
    foreign = cosigned(note(3), TIME + 10**6, ed25519("witness.example/w1", 9))
    assert verified(witness.ask(format_request(AddCheckpoint(0, (), foreign))), 3) == [TIME]
    assert [line.name for line in parse_note(witness.state.read(LINE).note).signatures] == [LINE, "witness.example/w1"]


def with_root(size: int, root: bytes) -> bytes:
    return signed(Checkpoint(LINE, size, root))


OTHER_VKEY = format_vkey(VerifierKey("other.example/main", LOG.public_key)).encode()
UNSIGNED = format_note(Note(parse_note(note(5)).text, parse_note(note(5, "", Key("other"))).signatures))
WRONG = note(5).replace(b"\n5\n", b"\n6\n")
OTHER_ORIGIN = signed(Checkpoint("other.example/main", 5, bytes(32)))
REFUSED = [
    (b"", 400, "begins with a line"),
    (body(3, 5) + b"x", 400, "note"),
    (format_request(AddCheckpoint(3, (), b"a text\n\n" + note(5).partition(b"\n\n")[2])), 400, "three lines"),
    (format_request(AddCheckpoint(3, (), OTHER_ORIGIN)), 404, "does not know"),
    (format_request(AddCheckpoint(3, proof(3, 5), UNSIGNED)), 403, "not signed by a key that is known"),
    (format_request(AddCheckpoint(3, proof(3, 5), WRONG)), 403, "is not valid"),
    (format_request(AddCheckpoint(6, (), note(5))), 400, "above the checkpoint's size"),
    (body(0, 5), 409, "3\n"),
    (body(2, 5), 409, "3\n"),
    (body(4, 5), 409, "3\n"),
    (format_request(AddCheckpoint(3, proof(3, 5)[1:], note(5))), 422, "hashes"),
    (format_request(AddCheckpoint(3, (*proof(3, 5), bytes(32)), note(5))), 422, "too many"),
    (body(3, 5, "another history"), 422, "does not extend"),
    (body(3, 3, "another history"), 422, "two roots for size 3"),
    (format_request(AddCheckpoint(3, (bytes(32),), note(3))), 422, "too many"),
]


def test_what_must_not_be_cosigned_gets_the_specified_status_and_changes_nothing(witness: Told) -> None:
    witness.ask(body(0, 3))
    before = witness.state.read(LINE)
    for data, status, words in REFUSED:
        answer = witness.ask(data)
        assert (answer.status, words in answer.body.decode()) == (status, True), (data, answer)
        assert answer.media_type == ("text/x.tlog.size" if status == 409 else "text/plain; charset=utf-8")
        assert witness.state.read(LINE) == before
    assert len(witness.told) == 5


def test_the_first_checkpoint_takes_no_proof_and_an_empty_tree_has_one_root(witness: Told) -> None:
    assert witness.ask(format_request(AddCheckpoint(0, (bytes(32),), note(5)))).status == 422
    assert witness.ask(format_request(AddCheckpoint(0, (), with_root(0, bytes(32))))).status == 422
    assert witness.ask(body(1, 5)) == WitnessAnswer(409, b"0\n", "text/x.tlog.size")
    assert witness.size() == 0


def test_what_is_malformed_unknown_or_unsigned_reaches_neither_what_is_held_nor_a_key(witness: Told) -> None:
    state = witness.state
    with patch.object(type(state), "read", side_effect=AssertionError):
        for data, status, _ in REFUSED[:7]:
            assert Witness(state, (), witness.told.append).add_checkpoint(data).status == status


def test_a_clock_that_is_behind_the_last_cosignature_stops_it(witness: Told) -> None:
    witness.ask(body(0, 3))
    witness.time -= 1
    answer = witness.ask(body(3, 5))
    assert (answer.status, answer.alarm, witness.size()) == (503, True, 3)
    assert witness.told == [f"the clock is behind the last cosignature of {LINE} by 1 s"]
    witness.time += 1
    assert verified(witness.ask(body(3, 5)), 5) == [TIME]


def test_a_request_that_contradicts_is_kept_with_what_was_held(witness: Told) -> None:
    witness.ask(body(0, 3))
    held = witness.state.read(LINE).note
    for data, alarm in ((body(3, 3, "another"), True), (body(3, 5, "another"), False), (body(3, 5, "another"), False)):
        answer = witness.ask(data)
        assert (answer.status, answer.alarm) == (422, alarm), "anybody can send a proof that is none"
    found = witness.memory.evidence(LINE)
    assert {name.partition("-")[0]: data for name, data in found.items() if not name.endswith(".held")} == {
        "split": body(3, 3, "another"),
        "unproven": body(3, 5, "another"),
    }
    assert [data for name, data in found.items() if name.endswith(".held")] == [held] * 2


def test_whoever_sends_real_checkpoints_with_no_proof_can_not_crowd_out_two_roots(witness: Told) -> None:
    """Anybody can have these from the log; two roots of one size only the log can sign."""
    assert MAX_KEPT == 100
    with patch.object(directory, "MAX_KEPT", 3), patch.object(s3_state, "MAX_KEPT", 3):
        for number in range(4):
            witness.state.keep(LINE, f"unproven-{number}", b"x", b"y")
        witness.ask(body(0, 3))
        witness.ask(format_request(AddCheckpoint(3, (), note(5))))
        assert len(witness.memory.evidence(LINE)) == 2 * 3
        witness.ask(body(3, 3, "another"))
    kinds = Counter(name.partition("-")[0] for name in witness.memory.evidence(LINE))
    assert kinds == {"unproven": 2 * 3, "split": 2}


def test_a_log_is_trusted_on_first_use_once(witness: Told) -> None:
    witness.ask(body(0, 3))
    assert not witness.state.add_log(LOG)
    assert witness.ask(body(0, 5, "another")) == WitnessAnswer(409, b"3\n", "text/x.tlog.size")
    other = Key("next")
    assert witness.state.add_log(other.named())
    assert witness.state.keys(LINE) == (LOG, other.named())
    assert (witness.size(), witness.state.origins()) == (3, [LINE])
    assert verified(witness.ask(body(3, 5, "", other)), 5) == [TIME]
    witness.memory.remove(LINE, "log")
    assert witness.ask(body(5, 7)).status == 404
    assert witness.state.add_log(LOG)
    assert witness.size() == 5, "what was cosigned is not forgotten with the log's key"


@each("damaged", [None, b"nonsense", b"x\n\n" * 9])
def test_a_witness_whose_memory_is_gone_or_damaged_says_so_and_cosigns_nothing(damaged: bytes | None, new: New) -> None:
    witness = new()
    witness.state.add_log(LOG)
    witness.ask(body(0, 3))
    if damaged is None:
        witness.memory.remove(LINE, "note")
    else:
        witness.memory.put(LINE, "note", damaged)
    for data in (body(0, 5), body(3, 5)):
        answer = witness.ask(data)
        assert answer == WitnessAnswer(503, b"the witness can't read or write its state\n", alarm=True)
    assert all("no cosignature is possible: what was cosigned last of" in line for line in witness.told)
    if damaged is None:
        with pytest.raises(StateLostError):
            witness.state.add_log(Key("next").named())
        assert Witness(witness.state, [W], witness.told.append).checkpoint(origin_hash(LINE)) is None


@each("content", [b"", b"nonsense\n", b"\xff\n", format_vkey(LOG).encode().replace(b"log.", b"lag."), OTHER_VKEY])
def test_keys_that_are_damaged_or_another_log_s_are_trusted_for_nothing(content: bytes, new: New) -> None:
    witness = new()
    witness.state.add_log(LOG)
    witness.memory.put(LINE, "log", content)
    assert (witness.ask(body(0, 3)).status, witness.size()) == (503, 0)
    for read in (witness.state.origins, lambda: witness.state.add_log(LOG)):
        with pytest.raises(StateLostError, match="the keys in"):
            read()


def test_a_crash_while_a_log_is_added_leaves_it_unknown_and_it_can_be_added(new: New) -> None:
    witness = new()
    witness.state.add_log(VerifierKey("other.example/main", LOG.public_key))
    witness.memory.put(LINE, "note", b"")
    assert witness.ask(body(0, 3)).status == 404
    assert witness.state.add_log(LOG)
    assert verified(witness.ask(body(0, 3)), 3) == [TIME]


def test_a_name_or_an_origin_that_ml_dsa_can_not_hold_is_refused(new: New) -> None:
    line = "o" * 256
    witness = new()
    witness.keys = (W, PQ)
    witness.state.add_log(Key("log").named(line))
    answer = witness.ask(format_request(AddCheckpoint(0, (), signed(Checkpoint(line, 0, checkpoint_of([]).root)))))
    assert (answer.status, b"1 to 255 bytes" in answer.body) == (400, True)
