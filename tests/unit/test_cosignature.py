"""Cosignatures and the witness protocol's bodies, against another implementation's bytes and with every bad input."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventlog.formats.anchor import NO_ANCHOR, Seal, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, origin_line, parse_checkpoint, verify_checkpoint
from eventlog.formats.cosignature import (
    Cosignature,
    Subtree,
    cosign,
    format_cosigned,
    format_subtree,
    parse_cosigned,
    parse_cosigner_vkey,
    parse_subtree,
    verify_cosignatures,
)
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.note import (
    Note,
    Signature,
    VerifierKey,
    format_note,
    format_vkey,
    parse_note,
    parse_vkey,
    sign_note,
)
from eventlog.formats.witness_protocol import (
    AddCheckpoint,
    format_answer,
    format_request,
    origin_hash,
    parse_answer,
    parse_request,
)
from eventlog.witness.keys import load_witness_key
from tests.support.anchoring import Key
from tests.support.each import each
from tests.support.evidence import KEY, START, anchored, checkpoint_of, events
from tests.support.witnesses import cosigned, ed25519, ml_dsa, pem

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors/cosignatures.json").read_text(encoding="utf-8")
)
TIME: int = VECTOR["time"]
REQUEST = VECTOR["request"].encode()
W1 = ed25519("witness.example/w1", bytes(range(32, 64)))
PQ = ml_dsa("witness.example/w1", bytes(range(32)))
CHECKPOINT = parse_request(REQUEST).checkpoint
TEXT = parse_note(CHECKPOINT).text
BOTH = cosigned(CHECKPOINT, TIME, W1, PQ)
SUBTREE = Subtree("witness.example/w1", TIME, "log.example/eventlog/main", 0, 1, leaf_hash(b"leaf"))


def test_the_vector_s_request_and_answer_come_out_byte_for_byte() -> None:
    class Log:
        public_key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()

        def sign(self, message: bytes) -> bytes:
            return Ed25519PrivateKey.from_private_bytes(bytes(range(32))).sign(message)

    log = parse_vkey(VECTOR["log"])
    text = format_checkpoint(Checkpoint(log.name, 1, leaf_hash(b"leaf")))
    assert format_request(AddCheckpoint(0, (), format_note(sign_note(text, log.name, [Log()])))) == REQUEST
    assert format_vkey(W1.key) == VECTOR["witness"]
    answer = VECTOR["answer"].encode()
    assert format_answer(cosign(text, TIME, [W1])) == answer
    assert len(answer) == 128
    (line,) = parse_answer(answer)
    assert verify_cosignatures(Note(text, (line,)), [W1.key]) == [Cosignature(W1.key, TIME)]
    assert origin_hash(log.name) == VECTOR["origin_hash"]


def test_the_vector_s_ml_dsa_44_message_comes_out_byte_for_byte_and_its_signature_verifies() -> None:
    expected, message = VECTOR["ml_dsa_44"], format_subtree(SUBTREE)
    assert PQ.key.key_id.hex() == expected["key_id"]
    assert (len(message), sha256(message).hexdigest()) == (expected["message_bytes"], expected["message_sha256"])
    assert len(format_answer(cosign(TEXT, TIME, [PQ]))) == expected["line_bytes"]
    assert verify_cosignatures(parse_note(BOTH), [PQ.key, W1.key]) == [
        Cosignature(PQ.key, TIME),
        Cosignature(W1.key, TIME),
    ]


def test_a_cosigned_checkpoint_is_still_the_log_s() -> None:
    checkpoint, _ = verify_checkpoint(BOTH, [parse_vkey(VECTOR["log"])])
    assert checkpoint == parse_checkpoint(TEXT)


def test_a_stranger_s_witness_cosigned_an_anchor_of_ours() -> None:
    found = VECTOR["stranger"]
    anchor, key = parse_note(found["checkpoint"].encode()), parse_cosigner_vkey(found["witness"])
    lines = parse_answer(found["answer"].encode())
    (cosignature,) = verify_cosignatures(Note(anchor.text, (*anchor.signatures, *lines)), [key])
    assert (cosignature.key.name, verify_anchor(found["checkpoint"].encode(), [KEY.public_key]).checkpoint.size) == (
        "peer.example/w",
        20,
    )


def test_a_cosigned_anchor_is_still_an_anchor() -> None:
    anchor = anchored(checkpoint_of(list(events(3))))
    found = verify_anchor(cosigned(anchor, TIME, W1, PQ), [KEY.public_key])
    assert (found.checkpoint, found.seal) == (
        verify_anchor(anchor, [KEY.public_key]).checkpoint,
        Seal(1, START, NO_ANCHOR),
    )


@each("key", [W1, PQ])
def test_any_other_time_text_or_signature_is_refused(key: Any) -> None:
    """Its time, its text, its signature and its length are all under the signature."""
    good = cosign(TEXT, TIME, [key])[0]
    other = TEXT.replace("\n1\n", "\n2\n")
    changed = [(TEXT, good.value[:7] + b"\1" + good.value[8:]), (other, good.value), (TEXT, good.value[:-1])]
    changed += [(TEXT, good.value[:20] + bytes([good.value[20] ^ 1]) + good.value[21:]), (TEXT, good.value + b"\0")]
    for text, value in changed:
        with pytest.raises(EvidenceError, match=r"signature of witness\.example/w1"):
            verify_cosignatures(Note(text, (Signature(good.name, good.key_id, value),)), [key.key])
    with pytest.raises(EvidenceError, match="two signatures"):
        verify_cosignatures(Note(TEXT, (good, good)), [key.key])


def test_lines_of_unknown_keys_are_ignored() -> None:
    stranger = ed25519("witness.example/w1", 9)
    assert verify_cosignatures(parse_note(BOTH), [stranger.key]) == []


def test_extension_lines_are_signed_by_ed25519_alone() -> None:
    """C2SP tlog-cosignature: the ML-DSA-44 message has no extension lines."""
    more = TEXT + "an extension\n"
    lines = cosign(more, TIME, [W1, PQ])
    assert len(verify_cosignatures(Note(more, lines), [W1.key, PQ.key])) == 2
    assert verify_cosignatures(Note(TEXT, lines[1:]), [PQ.key]) == [Cosignature(PQ.key, TIME)]
    with pytest.raises(EvidenceError, match="not valid"):
        verify_cosignatures(Note(TEXT, lines[:1]), [W1.key])


def test_an_ml_dsa_cosignature_says_its_witness_s_name() -> None:
    renamed = ml_dsa("witness.example/w2", bytes(range(32)))
    (line,) = cosign(TEXT, TIME, [PQ])
    with pytest.raises(EvidenceError, match="not valid"):
        verify_cosignatures(
            Note(TEXT, (Signature("witness.example/w2", renamed.key.key_id, line.value),)), [renamed.key]
        )


SMALL_ORDER = format_vkey(VerifierKey("w", (1).to_bytes(32, "little"), b"\x04"))


@each(
    "vkey, why",
    [
        (VECTOR["log"], "not a witness's key, of type 0x04"),
        (VECTOR["witness"].replace("20324abe", "20324abf"), "id is not that"),
        (SMALL_ORDER, "small order"),
        (format_vkey(VerifierKey("w", bytes(1311), b"\x06")), "not a witness's key"),
        (format_vkey(VerifierKey("w", bytes(32), b"\x06")), "not a witness's key"),
        ("", "name"),
        ("w+00000000+", "not a witness's key"),
    ],
)
def test_a_key_that_can_be_no_witness_s_is_refused(vkey: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        parse_cosigner_vkey(vkey)


def test_a_witness_s_key_is_no_log_s_and_is_read_in_both_kinds() -> None:
    for key in (W1, PQ):
        assert parse_cosigner_vkey(format_vkey(key.key)) == key.key
        assert load_witness_key(pem(key), key.key.name).key == key.key
        with pytest.raises(EvidenceError, match="of type 0x01"):
            parse_vkey(format_vkey(key.key))


@each("name", ["", "a b", "a+b", "x" * 256])
def test_a_name_that_no_witness_can_have_is_refused(name: str) -> None:
    with pytest.raises(EvidenceError):
        ed25519(name)


def test_a_file_that_holds_no_witness_s_key_is_refused() -> None:
    with pytest.raises(EvidenceError, match="unencrypted PEM"):
        load_witness_key(b"", "w")


@each(
    "subtree",
    [
        Subtree("", 1, "o", 0, 1, bytes(32)),
        Subtree("w" * 256, 1, "o", 0, 1, bytes(32)),
        Subtree("w", 1, "o" * 256, 0, 1, bytes(32)),
        Subtree("w", 1, "o", 1, 2, bytes(32)),
        Subtree("w", 0, "o", 3, 2, bytes(32)),
        Subtree("w", 2**63, "o", 0, 1, bytes(32)),
        Subtree("w", 1, "o", 0, 1, bytes(31)),
    ],
)
def test_a_subtree_that_can_not_be_signed_is_refused(subtree: Subtree) -> None:
    with pytest.raises(EvidenceError):
        format_subtree(subtree)


def test_a_message_is_read_back_whole_and_in_one_form_only() -> None:
    message, cosigned_text = format_subtree(SUBTREE), format_cosigned(TIME, TEXT)
    assert parse_subtree(message) == SUBTREE
    assert parse_cosigned(cosigned_text) == (TIME, TEXT)
    for cut in range(len(message)):
        with pytest.raises(EvidenceError):
            parse_subtree(message[:cut])
    for wrong in (b"", b"\xff", cosigned_text.replace(b"v1", b"v2"), cosigned_text.replace(b"time 1", b"time 01")):
        with pytest.raises(EvidenceError):
            parse_cosigned(wrong)


def test_a_log_s_own_key_verifies_beside_cosignatures_of_32_witnesses() -> None:
    """C2SP signed-note: verifiers accept at least 16 signatures."""
    log = Key()
    line = origin_line("log.example", "main")
    note = format_note(sign_note(format_checkpoint(Checkpoint(line, 0, sha256(b"").digest())), line, [log]))
    keys = [ed25519(f"w{n}", n + 2) for n in range(32)]
    full = cosigned(note, TIME, *keys)
    assert verify_checkpoint(full, [log.verifier("log.example")])[0].size == 0
    assert len(verify_cosignatures(parse_note(full), [key.key for key in keys])) == 32
