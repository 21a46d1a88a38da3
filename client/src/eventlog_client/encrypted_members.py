"""One encrypted member of a payload: how it is written, read and opened.

{"$enc": {"v": 1, "kid": "...", "nonce": "...", "ct": "..."}}

Specified in docs/formats/encrypted-members.md.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import event_id, members, parse_json, text
from eventlog.formats.note import decode_base64
from eventlog.formats.strict_json import escape

ENCRYPTED = "$enc"
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
KID = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
"""A key's id. No path has such a name that leads elsewhere, and no two of them differ in case alone."""
_FORMAT = b"eventlog/encrypted-member/v1"
_MEMBERS = {"v", "kid", "nonce", "ct"}


@dataclass(frozen=True, slots=True)
class EncryptedMember:
    """What stands in the place of a member: its key's id, and its value's canonical text under that key, with a tag."""

    kid: str
    nonce: bytes
    ciphertext: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The member as it stands in the payload."""
        nonce, ciphertext = (base64.b64encode(part).decode() for part in (self.nonce, self.ciphertext))
        return {ENCRYPTED: {"v": 1, "kid": self.kid, "nonce": nonce, "ct": ciphertext}}


def is_encrypted(value: Any) -> bool:
    """Return whether a value stands for an encrypted member: an object with this one member, whatever that is."""
    return isinstance(value, dict) and value.keys() == {ENCRYPTED}


def parse_member(value: Any) -> EncryptedMember:
    """Read what stands in the place of a member.

    Raises:
        EvidenceError: nothing that was written as this format says.
    """
    fields = members(members(value, "an encrypted member").get(ENCRYPTED), ENCRYPTED)
    if fields.keys() != _MEMBERS or type(fields["v"]) is not int or fields["v"] != 1:
        raise EvidenceError("an encrypted member of another version has other members")
    kid = text(fields, "kid")
    if not KID.fullmatch(kid):
        raise EvidenceError("kid is no key's id")
    nonce, ciphertext = (decode_base64(text(fields, name), name) for name in ("nonce", "ct"))
    if len(nonce) != NONCE_BYTES or len(ciphertext) < TAG_BYTES:
        raise EvidenceError(f"a nonce has {NONCE_BYTES} bytes, and a ciphertext {TAG_BYTES} at least")
    return EncryptedMember(kid, nonce, ciphertext)


def pointer_of(tokens: Sequence[str]) -> str:
    """Write an RFC 6901 pointer."""
    return "".join(f"/{escape(token)}" for token in tokens)


def additional_data(of: str, pointer: str) -> bytes:
    """Return what is authenticated with a member: its event's id (``of``) and its place, so that it can't be moved.

    "eventlog/encrypted-member/v1" 0x0A event_id 0x0A pointer; no id has a line feed, so the parts can't be confused.

    Raises:
        EvidenceError: no event has such an id.
    """
    return b"\n".join([_FORMAT, event_id({"event_id": of}).encode(), pointer.encode()])


def seal_member(value: Any, kid: str, key: bytes, nonce: bytes, about: bytes) -> EncryptedMember:
    """Encrypt a value; ``about`` is its ``additional_data``. A nonce MUST NOT come twice with one key.

    Raises:
        ValueError: it has no canonical JSON, or the key, its id or the nonce can't be.
    """
    if not KID.fullmatch(kid) or len(nonce) != NONCE_BYTES:
        raise ValueError(f"a key's id is {KID.pattern}, and a nonce has {NONCE_BYTES} bytes")
    return EncryptedMember(kid, nonce, _cipher(key).encrypt(nonce, canonicalize(value), about))


def open_member(member: EncryptedMember, key: bytes, about: bytes) -> Any:
    """Decrypt a value; ``about`` is its ``additional_data``.

    Raises:
        EvidenceError: it was encrypted with another key, for another event or place, or it was altered.
        ValueError: the key has another length.
    """
    try:
        plain = _cipher(key).decrypt(member.nonce, member.ciphertext, about)
    except InvalidTag:
        raise EvidenceError("the member was not encrypted with this key for this event and place") from None
    return parse_json(plain)


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return AESGCM(key)
