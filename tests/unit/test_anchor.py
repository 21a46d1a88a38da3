"""Anchors: a standard checkpoint with a seal; nothing of either can be changed."""

import pytest

from eventlog.formats.anchor import KIND, NO_ANCHOR, Seal, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import MAX_SIZE, Checkpoint, format_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, Signature, VerifierKey, format_note, parse_note, sign_note
from eventlog.formats.times import MAX_MILLIS
from tests.support.each import each
from tests.support.evidence import KEY, LINE, START, Key, anchored

CHECKPOINT = Checkpoint(LINE, 7, bytes(range(32)))
SEAL = Seal(3, START, bytes(range(32, 64)))
ANCHOR = anchored(CHECKPOINT, seal=SEAL)
NEW = Key("new")
SEALING = VerifierKey(LINE, KEY.public_key, KIND)


def with_seal(value: bytes) -> bytes:
    """The anchor with another value on its seal's line."""
    note = parse_note(ANCHOR)
    return format_note(Note(note.text, (note.signatures[0], Signature(LINE, SEALING.key_id, value))))


def sealed(seal: Seal, text: str = format_checkpoint(CHECKPOINT)) -> bytes:
    return seal.head() + KEY.sign(seal.message(text))


def test_an_anchor_comes_back_as_it_was_signed() -> None:
    anchor = verify_anchor(ANCHOR, [KEY.public_key])
    assert (anchor.checkpoint, anchor.seal, anchor.data) == (CHECKPOINT, SEAL, ANCHOR)
    assert anchor.keys == (KEY.named(),)


@pytest.mark.parametrize("seal", [Seal(1, 0, NO_ANCHOR), Seal(MAX_SIZE, MAX_MILLIS, b"\xff" * 32)])
def test_the_least_and_the_greatest_seal_come_back(seal: Seal) -> None:
    assert verify_anchor(anchored(CHECKPOINT, seal=seal), [KEY.public_key]).seal == seal


def test_an_anchor_is_a_standard_checkpoint_to_everybody_else() -> None:
    assert verify_checkpoint(ANCHOR, [KEY.named()])[0] == CHECKPOINT


def test_the_digest_covers_every_byte() -> None:
    again = anchored(CHECKPOINT, KEY, NEW, seal=SEAL)
    digests = {verify_anchor(data, [KEY.public_key]).digest for data in (ANCHOR, again)}
    assert len(digests) == 2


@each("byte", range(48))
def test_a_changed_number_time_or_previous_is_refused(byte: int) -> None:
    value = bytearray(sealed(SEAL))
    value[byte] ^= 1
    with pytest.raises(EvidenceError, match=r"is not valid|out of range"):
        verify_anchor(with_seal(bytes(value)), [KEY.public_key])


@each("byte", range(48, 112))
def test_a_changed_signature_of_the_seal_is_refused(byte: int) -> None:
    value = bytearray(sealed(SEAL))
    value[byte] ^= 0x80
    with pytest.raises(EvidenceError, match="is not valid"):
        verify_anchor(with_seal(bytes(value)), [KEY.public_key])


@pytest.mark.parametrize(
    "other", [Checkpoint(LINE, 8, CHECKPOINT.root), Checkpoint(LINE, 7, bytes(32)), Checkpoint("x/main", 7, bytes(32))]
)
def test_a_seal_of_another_checkpoint_is_refused(other: Checkpoint) -> None:
    """Each is signed by the right key, they just don't belong together."""
    with pytest.raises(EvidenceError, match="is not valid"):
        verify_anchor(with_seal(sealed(SEAL, format_checkpoint(other))), [KEY.public_key])


@pytest.mark.parametrize(
    "seal", [Seal(0, 0, NO_ANCHOR), Seal(MAX_SIZE + 1, 0, NO_ANCHOR), Seal(1, MAX_MILLIS + 1, NO_ANCHOR)]
)
def test_a_seal_out_of_range_is_refused_though_it_is_signed(seal: Seal) -> None:
    with pytest.raises(EvidenceError, match="out of range"):
        verify_anchor(with_seal(sealed(seal)), [KEY.public_key])


@pytest.mark.parametrize("cut", [1, 64, 111])
def test_a_seal_of_another_length_is_refused(cut: int) -> None:
    with pytest.raises(EvidenceError, match="another length"):
        verify_anchor(with_seal(sealed(SEAL)[:-cut]), [KEY.public_key])


def test_an_anchor_of_unknown_keys_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_anchor(ANCHOR, [NEW.public_key])
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_anchor(ANCHOR, [])


def test_a_checkpoint_without_a_seal_is_no_anchor() -> None:
    plain = format_note(sign_note(format_checkpoint(CHECKPOINT), LINE, [KEY]))
    with pytest.raises(EvidenceError, match="not sealed by a key that is known here"):
        verify_anchor(plain, [KEY.public_key])


def test_a_seal_without_a_signature_of_the_checkpoint_is_no_anchor() -> None:
    note = parse_note(ANCHOR)
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_anchor(format_note(Note(note.text, note.signatures[1:])), [KEY.public_key])


def test_the_seal_is_not_taken_for_a_signature_of_the_checkpoint_nor_the_other_way_round() -> None:
    note = parse_note(ANCHOR)
    plain, seal = note.signatures
    swapped = (
        Signature(LINE, plain.key_id, seal.value),
        Signature(LINE, seal.key_id, SEAL.head() + plain.value),
    )
    with pytest.raises(EvidenceError, match="is not valid"):
        verify_anchor(format_note(Note(note.text, (swapped[0], seal))), [KEY.public_key])
    with pytest.raises(EvidenceError, match="is not valid"):
        verify_anchor(format_note(Note(note.text, (plain, swapped[1]))), [KEY.public_key])


def test_two_seals_of_one_key_are_refused() -> None:
    note = parse_note(ANCHOR)
    with pytest.raises(EvidenceError, match="two signatures of the key"):
        verify_anchor(format_note(Note(note.text, (*note.signatures, note.signatures[1]))), [KEY.public_key])


def test_a_checkpoint_of_four_lines_is_no_anchor() -> None:
    note = sign_note(format_checkpoint(CHECKPOINT) + "extension\n", LINE, [KEY])
    with pytest.raises(EvidenceError, match="has three lines"):
        verify_anchor(format_note(note), [KEY.public_key])


def test_signatures_of_unknown_keys_are_ignored() -> None:
    note = parse_note(ANCHOR)
    strange = (Signature("witness.example", b"\1\2\3\4", bytes(72)), Signature(LINE, b"\0\0\0\0", bytes(64)))
    data = format_note(Note(note.text, strange + note.signatures))
    anchor = verify_anchor(data, [NEW.public_key, KEY.public_key])
    assert (anchor.seal, anchor.keys, anchor.data) == (SEAL, (KEY.named(),), data)


@pytest.mark.parametrize("known", [[KEY], [KEY, NEW], [NEW, KEY]])
def test_while_keys_are_rotated_both_sign_and_the_sealing_one_comes_first(known: list[Key]) -> None:
    data = sign_anchor(CHECKPOINT, SEAL, [KEY, NEW])
    anchor = verify_anchor(data, [key.public_key for key in known])
    assert anchor.keys[0] == KEY.named()
    assert set(anchor.keys) == {key.named() for key in known}


def test_who_knows_only_the_key_that_did_not_seal_refuses_the_anchor() -> None:
    with pytest.raises(EvidenceError, match="not sealed by a key that is known here"):
        verify_anchor(sign_anchor(CHECKPOINT, SEAL, [KEY, NEW]), [NEW.public_key])


def test_a_wrong_signature_of_the_second_known_key_refuses_the_anchor() -> None:
    note = parse_note(sign_anchor(CHECKPOINT, SEAL, [KEY, NEW]))
    first, second, seal = note.signatures
    broken = Signature(second.name, second.key_id, bytes(64))
    with pytest.raises(EvidenceError, match="is not valid"):
        verify_anchor(format_note(Note(note.text, (first, broken, seal))), [KEY.public_key, NEW.public_key])


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(32), b"\x01" + bytes(31)])
def test_a_key_that_nobody_may_trust_anchors_nothing(public_key: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"has 32 bytes|small order|not signed by"):
        verify_anchor(ANCHOR, [public_key])


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\n", ANCHOR[:-1], ANCHOR.replace(b"\n7\n", b"\n07\n")])
def test_what_is_no_signed_checkpoint_is_no_anchor(data: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"a text, a blank line|not UTF-8|the size is not a decimal"):
        verify_anchor(data, [KEY.public_key])
