"""Signed notes and verifier keys: examples by others, one written form, and every way to be refused."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from eventlog.formats import note
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, Signature, VerifierKey
from tests.support.each import each
from tests.support.evidence import KEY, Key

EXAMPLES: list[dict[str, Any]] = json.loads((Path(__file__).parent.parent / "vectors" / "notes.json").read_text())
TEXT = "one\n\nthree é\n"
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
C2SP_POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)


def made(text: str = TEXT, *keys: Key, name: str = "a.example/log") -> bytes:
    return note.format_note(note.sign_note(text, name, keys or [KEY]))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def material(public_key: bytes, kind: bytes = note.ED25519) -> str:
    """A verifier key, whatever its public key."""
    return note.format_vkey(VerifierKey("a.example/log", public_key, kind))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["origin"]))
def test_notes_of_others_verify_and_are_written_as_they_were(example: dict[str, Any]) -> None:
    data = f"{example['text']}\n{''.join(line + chr(10) for line in example['signatures'])}".encode()
    keys = [note.parse_vkey(text) for text in example["keys"]]
    parsed = note.parse_note(data)
    assert note.verify_note(parsed, keys) == keys
    assert parsed.text == example["text"]
    assert note.format_note(parsed) == data
    assert [note.format_vkey(key) for key in keys] == example["keys"]


def test_the_text_ends_at_the_last_empty_line() -> None:
    """The first example of C2SP signed-note; its key was never published, so it can only be parsed."""
    parsed = note.parse_note(C2SP_POEM.encode())
    assert parsed.text == C2SP_POEM.rpartition("\n\n")[0] + "\n"
    assert note.format_note(parsed) == C2SP_POEM.encode()


@pytest.mark.parametrize("text", ["\n", "a\n", "a\n\n", "\n\n\n", "a\n\nb\n", "— x\n", "é \u2028\x7f\n"])
def test_a_text_comes_back_as_it_was_signed(text: str) -> None:
    parsed = note.parse_note(made(text))
    assert parsed.text == text
    assert note.verify_note(parsed, [KEY.named("a.example/log")])


def test_signatures_of_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    known = KEY.named("a.example/log")
    genuine = note.sign_note(TEXT, known.name, [KEY]).signatures
    strange = (
        Signature(known.name, b"\0\0\0\0", bytes(64)),
        Signature("b.example/log", known.key_id, b"short"),
        Signature("b.example/log", known.key_id, b"short"),
    )
    assert note.verify_note(Note(TEXT, strange + genuine), [known]) == [known]


def test_a_note_of_unknown_keys_alone_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        note.verify_note(note.parse_note(made()), [Key("other").named("a.example/log")])


def test_a_wrong_signature_of_a_known_key_refuses_the_note_though_another_is_right() -> None:
    two = [KEY.named("a.example/log"), Key("other").named("a.example/log")]
    right, wrong = note.sign_note(TEXT, "a.example/log", [KEY, Key("other")]).signatures
    broken = Signature(wrong.name, wrong.key_id, bytes([wrong.value[0] ^ 1]) + wrong.value[1:])
    with pytest.raises(EvidenceError, match=r"signature of a.example/log is not valid"):
        note.verify_note(Note(TEXT, (right, broken)), two)


def test_two_signatures_of_one_key_are_refused() -> None:
    (line,) = note.sign_note(TEXT, "a.example/log", [KEY]).signatures
    with pytest.raises(EvidenceError, match="two signatures of the key"):
        note.verify_note(Note(TEXT, (line, line)), [KEY.named("a.example/log")])


@each("bit", range(8 * 64))
def test_any_one_bit_changed_in_a_signature_is_refused(bit: int) -> None:
    signature = int.from_bytes(KEY.sign(b"message"), "big") ^ 1 << bit
    with pytest.raises(EvidenceError, match="is not valid"):
        KEY.named().verify(b"message", signature.to_bytes(64, "big"))


def test_a_signature_has_one_form_only() -> None:
    """RFC 8032, section 5.1.7: s and s + L would both satisfy the equation; only s below L counts."""
    signature = KEY.sign(b"message")
    again = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    with pytest.raises(EvidenceError, match="is not valid"):
        KEY.named().verify(b"message", signature[:32] + again.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(EvidenceError, match="is not valid"):
        KEY.named().verify(b"message", (KEY.sign(b"message") + b"\0")[:length])


SMALL_ORDER = [
    "00" * 32,  # order 4
    "00" * 31 + "80",
    "01" + "00" * 31,  # the neutral element
    "01" + "00" * 30 + "80",
    "ec" + "ff" * 30 + "7f",  # order 2
    "ec" + "ff" * 31,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  # order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]


@pytest.mark.parametrize("public_key", SMALL_ORDER)
def test_a_key_of_small_order_is_refused_wherever_it_is_used(public_key: str) -> None:
    weak = bytes.fromhex(public_key)
    with pytest.raises(EvidenceError, match="small order"):
        note.parse_vkey(material(weak))
    with pytest.raises(EvidenceError, match="small order"):
        VerifierKey("a", weak).verify(b"anything", b"\x01" + bytes(63))


@pytest.mark.parametrize("excess", [0, 1, 3, 18])
def test_a_key_has_one_form_only(excess: int) -> None:
    """RFC 8032, section 5.1.3: y and p + y would be one point."""
    other = (2**255 - 19 + excess).to_bytes(32, "little")
    with pytest.raises(EvidenceError, match="not in canonical form"):
        note.parse_vkey(material(other))


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_length_verifies_nothing(public_key: bytes) -> None:
    with pytest.raises(EvidenceError, match="has 32 bytes"):
        VerifierKey("a", public_key).verify(b"", bytes(64))


GOOD_VKEY = note.format_vkey(KEY.named("a.example/log"))
BAD_VKEYS = [
    ("", "begins with a name|not an Ed25519 key"),
    ("a.example/log", "not an Ed25519 key"),
    ("a.example/log+00000000", "not an Ed25519 key"),
    (GOOD_VKEY + "=", "Base 64"),
    (GOOD_VKEY + "\n", "Base 64"),
    (GOOD_VKEY[:-1], "Base 64"),
    ("+" + GOOD_VKEY.partition("+")[2], "begins with a name"),
    ("a b+" + GOOD_VKEY.partition("+")[2], "begins with a name"),
    ("a\u2003b+" + GOOD_VKEY.partition("+")[2], "begins with a name"),
    ("a\ud800+" + GOOD_VKEY.partition("+")[2], "begins with a name"),
    ("b" + GOOD_VKEY, "is not that of its name and key"),
    (GOOD_VKEY.upper().replace("A.EXAMPLE/LOG", "a.example/log"), "Base 64|is not that|32 bytes|not an Ed25519"),
    (material(KEY.public_key, b"\x04"), "not an Ed25519 key of type 0x01"),
    (material(KEY.public_key[:31]), "not an Ed25519 key of type 0x01"),
    (material(KEY.public_key + b"\0"), "not an Ed25519 key of type 0x01"),
    (GOOD_VKEY.replace("+", "++", 1), "Base 64|is not that"),
]


@pytest.mark.parametrize(("text", "why"), BAD_VKEYS)
def test_a_malformed_verifier_key_is_refused(text: str, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        note.parse_vkey(text)


SIGNED = made("text\n")
LINE = SIGNED.partition(b"\n\n")[2]
BAD_NOTES = [
    (b"", "a text, a blank line and signature lines"),
    (b"text\n", "a text, a blank line and signature lines"),
    (b"text\n\n", "a text, a blank line and signature lines"),
    (LINE, "a text, a blank line and signature lines"),
    (b"text\n" + LINE, "a text, a blank line and signature lines"),
    (SIGNED[:-1], "a text, a blank line and signature lines"),
    (SIGNED + b"\n", "a text, a blank line and signature lines"),
    (SIGNED + b"text\n", "— name base64"),
    (SIGNED.replace(b"\n\n", b"\r\n\r\n"), "control character"),
    (SIGNED.replace(b"text", b"te\tt"), "control character"),
    (SIGNED.replace(b"text", b"te\0t"), "control character"),
    (SIGNED.replace(b"text", b"te\xfft"), "not UTF-8"),
    (SIGNED.replace(b"text", b"te\xed\xa0\x80t"), "not UTF-8"),
    (SIGNED.replace("— ".encode(), b"- "), "— name base64"),
    (SIGNED.replace("— ".encode(), "—".encode()), "— name base64"),
    (SIGNED.replace("— ".encode(), "—  ".encode()), "— name base64"),
    (SIGNED.replace(b"a.example/log", b"a+b"), "— name base64"),
    (SIGNED.replace(b"a.example/log", "a\u2003b".encode()), "— name base64"),
    (SIGNED.replace(b"a.example/log ", b"a.example/log  "), "Base 64"),
    (SIGNED.replace(b"\n", b" \n").replace(b" \n \n", b"\n\n"), "Base 64"),
    (b"text\n\n" + "— name\n".encode(), "too short"),
    (b"text\n\n" + f"— name {b64(bytes(4))}\n".encode(), "too short"),
    (b"text\n\n" + "— name AAAAAAB=\n".encode(), "not canonical Base 64"),
    (b"text\n\n" + "— name AAAAAA-_\n".encode(), "not Base 64"),
    (b"text\n\n" + LINE * 65, "more than 64 signatures"),
    (b"t" * note.MAX_NOTE + SIGNED, "longer than"),
]


@pytest.mark.parametrize(("data", "why"), BAD_NOTES)
def test_a_malformed_note_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        note.parse_note(data)


def test_as_many_signatures_as_c2sp_demands_are_accepted() -> None:
    keys = [Key(str(number)) for number in range(note.MAX_SIGNATURES)]
    parsed = note.parse_note(made("text\n", *keys))
    assert len(note.verify_note(parsed, [key.named("a.example/log") for key in keys])) == 64
