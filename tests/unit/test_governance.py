"""Erasures, holds and releases: one written form, for one chain, signed by a governance key."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance import (
    MAX_BY,
    MAX_REASON,
    MAX_TARGETS,
    AnyOrder,
    Erasure,
    Hold,
    Release,
    event_id,
    format_order,
    parse_order,
)
from eventlog.formats.governance_note import KIND, parse_governance_vkey, sign_order, signed_message, verify_order
from eventlog.formats.note import VerifierKey, format_note, format_vkey, parse_note, sign_note
from eventlog.formats.times import MAX_MILLIS
from tests.support.each import each
from tests.support.evidence import CHAIN, KEY, LINE, ORIGIN, START, Key

ASKED: dict[str, Any] = {
    "origin": ORIGIN,
    "chain": CHAIN,
    "request": "01936f00-0000-7000-8000-000000000001",
    "time": START,
    "by": "privacy desk",
    "reason": "3 May é",
}
ERASURE = Erasure(**ASKED, basis="gdpr-art-17", targets=((3, b"\xab" * 32), (41, bytes(32))))
APPROVED = replace(ERASURE, approved="the officer")
HOLD = Hold(**ASKED, span=(2, 9), until=START + 5)
RELEASE = Release(**ASKED, hold=event_id(HOLD))
ORDERS: list[AnyOrder] = [ERASURE, APPROVED, HOLD, Hold(**ASKED), RELEASE]
TEXT, HELD, FREED = format_order(APPROVED), format_order(HOLD), format_order(RELEASE)
NO_TEXT = "not the text of an erasure, a hold or a release"


def verified(data: bytes, *keys: Key) -> AnyOrder:
    return verify_order(data, [key.public_key for key in keys or (KEY,)], ORIGIN, CHAIN)


@each("order", ORDERS)
def test_an_order_comes_back_as_it_was_signed(order: AnyOrder) -> None:
    assert verified(sign_order(order, [KEY]), Key("other"), KEY) == order
    assert verified(sign_order(order, [Key("other"), KEY])) == order


def test_an_order_of_unknown_keys_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a governance key that is known here"):
        verified(sign_order(ERASURE, [KEY]), Key("other"))


def test_a_checkpoint_s_signature_is_none_of_a_governance_key() -> None:
    """The key that signs anchors orders nothing, even where it is pinned as a governance key by mistake."""
    with pytest.raises(EvidenceError, match="not signed by a governance key"):
        verified(format_note(sign_note(format_order(ERASURE), LINE, [KEY])))


@each("origin, chain", [(ORIGIN, "other"), ("log.example", f"events/{CHAIN}"), ("o", CHAIN)])
def test_an_order_for_another_chain_is_refused(origin: str, chain: str) -> None:
    with pytest.raises(EvidenceError, match="for another chain"):
        verify_order(sign_order(HOLD, [KEY]), [KEY.public_key], origin, chain)


@each(
    "change",
    [{"chain": "other"}, {"request": ASKED["request"].replace("1", "2")}, {"time": 0}, {"by": "b"}, {"reason": "r"},
     {"basis": "b"}, {"targets": ((3, bytes(32)),)}, {"approved": "b"}],
)  # fmt: skip
def test_any_field_of_an_order_changed_is_refused(change: dict[str, Any]) -> None:
    note = replace(parse_note(sign_order(ERASURE, [KEY])), text=format_order(replace(ERASURE, **change)))
    with pytest.raises(EvidenceError, match=r"is not valid|for another chain"):
        verified(format_note(note))


@each(
    "text, why",
    [
        ("\n", NO_TEXT),
        ("", NO_TEXT),
        (TEXT.replace("erasure/v1", "erasure/v2"), NO_TEXT),
        (TEXT.replace("erasure/v1", "hold/v1"), NO_TEXT),
        (TEXT + "more\n", NO_TEXT),
        (TEXT[:-1], NO_TEXT),
        (TEXT.replace("events 2", "events 3"), NO_TEXT),
        (TEXT.replace("events 2", "events 02"), NO_TEXT),
        (TEXT.replace("by privacy", "By privacy"), NO_TEXT),
        (TEXT.replace("approved the", "approved  the"), ""),
        (TEXT.replace("3 q6", "03 q6"), NO_TEXT),
        (TEXT.replace("3 q6", "42 q6"), "each once, by seq"),
        (TEXT.replace("3 q6", "41 q6"), "each once, by seq"),
        (TEXT.replace("41 AA", f"{MAX_SIZE} AA"), "each once, by seq"),
        (TEXT.replace("41 AA", f"{MAX_SIZE + 1} AA"), NO_TEXT),
        (TEXT.replace("41 AAAA", "41 "), "32 bytes"),
        (TEXT.replace("AAAA=", "AAAB="), NO_TEXT),
        (TEXT.replace("gdpr-art-17", "GDPR"), "the basis has"),
        (TEXT.replace("gdpr-art-17", ""), "the basis has"),
        (TEXT.replace("the officer", "privacy desk"), "who asks does not approve"),
        (TEXT.replace("the officer", ""), "one line of 1 to 2048"),
        (TEXT.replace("privacy desk", "x" * (MAX_BY + 1)), "one line of 1 to 2048"),
        (TEXT.replace("privacy desk", "a\u2028b"), "one line of 1 to 2048"),
        (TEXT.replace("3 May é", ""), "one line of 1 to 500"),
        (TEXT.replace("3 May é", "x" * (MAX_REASON + 1)), "one line of 1 to 500"),
        (TEXT.replace("/main", "/ma:n"), "can't be"),
        (TEXT.replace("/main", "/main~2"), "can't be"),
        (TEXT.replace("01936f00", "01936F00"), "can't be"),
        (TEXT.replace(str(START), str(MAX_MILLIS + 1)), "time is out of range"),
        (HELD.replace("range 2 9", "range 9 9"), "from one seq to a later one"),
        (HELD.replace("range 2 9", "range 2"), NO_TEXT),
        (HELD.replace("range 2 9", "range"), NO_TEXT),
        (HELD.replace(f"until {START + 5}", f"until {MAX_MILLIS + 1}"), "end of the hold is out of range"),
        (FREED.replace("eventlog.hold-", "eventlog.erasure-"), "names the id of a hold's event"),
    ],
)
def test_text_in_any_other_form_is_refused(text: str, why: str) -> None:
    if not why:  # a blank belongs to the name
        assert parse_order(text) != parse_order(TEXT)
        return
    with pytest.raises(EvidenceError, match=why):
        parse_order(text)


def test_an_erasure_names_a_thousand_events_at_most_and_one_at_least() -> None:
    many = replace(ERASURE, targets=tuple((seq, bytes(32)) for seq in range(MAX_TARGETS)))
    assert parse_order(format_order(many)) == many
    for targets in ((), tuple((seq, bytes(32)) for seq in range(MAX_TARGETS + 1))):
        with pytest.raises(EvidenceError, match="names 1 to 1000 events"):
            format_order(replace(ERASURE, targets=targets))


def test_what_a_key_signs_is_short_enough_for_a_key_management_service() -> None:
    many = replace(ERASURE, targets=tuple((seq, bytes(32)) for seq in range(MAX_TARGETS)))
    assert len(signed_message(format_order(many))) < 100


def test_a_governance_key_is_written_with_its_type_and_the_log_s_name() -> None:
    key = VerifierKey(ORIGIN, KEY.public_key, KIND)
    assert parse_governance_vkey(format_vkey(key)) == key
    for other in (
        format_vkey(VerifierKey(ORIGIN, KEY.public_key)),
        format_vkey(key).replace("log.", "lag."),
        "",
        "a+b",
    ):
        with pytest.raises(EvidenceError):
            parse_governance_vkey(other)


def test_openssl_verifies_the_signature(tmp_path: Path) -> None:
    note = parse_note(sign_order(ERASURE, [KEY]))
    (signature,) = note.signatures
    public = Ed25519PublicKey.from_public_bytes(KEY.public_key)
    (tmp_path / "key.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "signature").write_bytes(signature.value)
    (tmp_path / "text").write_text(note.text)
    digest = subprocess.run(["openssl", "dgst", "-sha256", "-r", "text"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "message").write_text(f"eventlog/governance/v1\n{digest.stdout.decode().split()[0]}\n")
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin"]
    arguments = ["-in", "message", "-sigfile", "signature"]
    subprocess.run([*verify, *arguments], cwd=tmp_path, check=True)
    (tmp_path / "message").write_text("another")
    assert subprocess.run([*verify, *arguments], cwd=tmp_path, check=False).returncode == 1
