r"""How orders are signed: by a governance key, which is another than the one that signs checkpoints.

Its signature is of type 0xff "eventlog/governance/v1" (C2SP signed-note, "Signature types"). Under the name of the
chain, which is line 2 of the text, it signs

    "eventlog/governance/v1\n" || hexadecimal SHA-256(text) || "\n"

Specified in docs/formats/governance-note.md.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from eventlog.formats.checkpoint import origin_line
from eventlog.formats.ed25519 import check_public_key
from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance import AnyOrder, format_order, parse_order
from eventlog.formats.note import (
    Note,
    Signature,
    Signer,
    VerifierKey,
    decode_base64,
    format_note,
    is_key_name,
    parse_note,
)

KIND = b"\xffeventlog/governance/v1"


def sign_order(order: AnyOrder, signers: Iterable[Signer]) -> bytes:
    """Sign an order by each signer under the name of its chain; return the note's bytes.

    Raises:
        EvidenceError: there can be no such order.
    """
    text, name = format_order(order), origin_line(order.origin, order.chain)
    lines = [
        Signature(name, VerifierKey(name, signer.public_key, KIND).key_id, signer.sign(signed_message(text)))
        for signer in signers
    ]
    return format_note(Note(text, tuple(lines)))


def verify_order(data: bytes, public_keys: Sequence[bytes], origin: str, chain: str) -> AnyOrder:
    """Read an order for this chain that is signed by one of these Ed25519 public keys.

    Raises:
        EvidenceError: it is malformed, for another chain, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    order = parse_order(note.text)
    if (order.origin, order.chain) != (origin, chain):
        raise EvidenceError("the order is for another chain")
    # As with all notes, lines of unknown keys are passed over, and one of a known key must be right.
    signed = False
    for public in public_keys:
        key = VerifierKey(origin_line(origin, chain), public, KIND)
        signature = key.signature_in(note)
        if signature is not None:
            key.verify(signed_message(note.text), signature)
            signed = True
    if not signed:
        raise EvidenceError("the order is not signed by a governance key that is known here")
    return order


def signed_message(text: str) -> bytes:
    """Return what a governance key signs of a text: short, as a key management service signs nothing long."""
    return f"eventlog/governance/v1\n{sha256(text.encode()).hexdigest()}\n".encode()


def parse_governance_vkey(text: str) -> VerifierKey:
    """Read a governance key's verifier key; its name is the log's origin.

    Raises:
        EvidenceError: it is malformed, of another type, its key id is wrong, or its key must not be trusted.
    """
    name, _, rest = text.partition("+")
    key_id, _, material = rest.partition("+")
    decoded = decode_base64(material, "the verifier key")
    if not is_key_name(name) or not decoded.startswith(KIND):
        raise EvidenceError("not a governance key: a name, and a key of type 0xff eventlog/governance/v1")
    check_public_key(decoded[len(KIND) :])
    key = VerifierKey(name, decoded[len(KIND) :], KIND)
    if key_id != key.key_id.hex():
        raise EvidenceError("the verifier key's id is not that of its name and key")
    return key
