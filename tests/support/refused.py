"""Evidence in forms that no log writes: what Python and the browser must both refuse, from one table."""

from base64 import b64encode
from hashlib import sha256
from operator import index
from typing import Any

from eventlog.formats import hashing
from eventlog.formats.canonical import canonicalize
from eventlog.formats.checkpoint import epoch_of
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import format_event
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey, format_note, format_vkey, sign_note
from tests.support.evidence import KEY, LINE, ORIGIN, events

EVENT: dict[str, Any] = parse_json(format_event(list(events(3))[2]))
MEMBERS = sorted(EVENT)
GONE = object()
"""In place of a value: leave the member out."""

_TEXTS: list[Any] = [None, 1, True, [], ["a"], {}, "", GONE]
_WHOLE: list[Any] = [None, "1", 1.5, True, -1, 2**53, [1], GONE]
_HASHES: list[Any] = [
    *(None, 1, "", [], "00" * 31, "00" * 33, "0" * 63, "AA" * 32, " " * 64, "é" * 64, "0x" * 32),
    *("00" * 32 + "\n", GONE),
]
_TIMES: list[Any] = [
    *_TEXTS,
    *("2024-11-23T12:34:56Z", "2024-11-23T12:34:56.7Z", "2024-11-23T12:34:56.7890Z", "2024-11-23T12:34:56.789"),
    *("2024-11-23T12:34:56.789+00:00", "2024-11-23t12:34:56.789z", "2024-13-23T12:34:56.789Z"),
    *("2023-02-29T12:34:56.789Z", "2024-11-23T24:00:00.000Z", "2024-11-23T12:34:60.789Z", "1969-12-31T23:59:59.999Z"),
    *("+012024-11-23T12:34:56.789Z", " 2024-11-23T12:34:56.789Z", "2024-11-23T12:34:56.789Z\n"),
]
_NAMES: list[Any] = [*_TEXTS, "a" * 257, "a\n", "\x00", "a\x1f", "\x7f", "\x85"]

_VALUES: dict[str, list[Any]] = {
    "chain": [*_TEXTS, "a" * 65, "Main", "-a", "a/b", "a b", "main\n", "é"],
    "event_id": [*_TEXTS, "a" * 129, "a/b", "a b", "a\n", "é"],
    "event_type": _NAMES,
    "source_id": _NAMES,
    "principal": _TEXTS,
    "timestamp": _TIMES,
    "received_at": _TIMES,
    "seq": _WHOLE,
    "payload": [None, 1, True, "{}", [], [{}], GONE],
    "salt": [None, 1, "", [], "00" * 15, "00" * 17, "AA" * 16, "0" * 31, GONE],
    **dict.fromkeys(["payload_hash", "content_hash", "prev_hash", "hash"], _HASHES),
    "more": [1],
}
REFUSED_EVENTS = [{name: value} for name, values in _VALUES.items() for value in values]


def changed(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The fields with these values."""
    return {name: value for name, value in (fields | changes).items() if value is not GONE}


def refused_event(changes: dict[str, Any]) -> dict[str, Any]:
    """The event with these changes, and hashes that are right for them wherever this form can be hashed."""
    event = changed(EVENT, changes)
    # So nothing but its form is wrong. What has no hash, as a member is absent or of another type, keeps its own.
    try:
        for name, derive in (("payload_hash", _payload_hash), ("content_hash", _content_hash), ("hash", _hash)):
            if name not in changes:
                event[name] = derive(event)
    except (KeyError, TypeError, ValueError, OverflowError):
        pass
    return event


def _payload_hash(event: dict[str, Any]) -> str:
    return sha256(bytes.fromhex(event["salt"]) + canonicalize(event["payload"])).hexdigest()


def _content_hash(event: dict[str, Any]) -> str:
    names = ["chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "principal", "payload_hash"]
    return sha256(canonicalize({"v": 1} | {name: event[name] for name in names})).hexdigest()


def _hash(event: dict[str, Any]) -> str:
    parts = bytes.fromhex(event["prev_hash"]), bytes.fromhex(event["content_hash"])
    return hashing.leaf_hash(hashing.leaf(index(event["seq"]), *parts)).hex()


PROOF: dict[str, Any] = {
    "chain": "main",
    "leaf_index": 2,
    "tree_size": 3,
    "leaf": "00" * 72,
    "leaf_hash": "00" * 32,
    "hashes": ["00" * 32],
    "root": "00" * 32,
    "checkpoint": None,
}
_PROOF_VALUES: dict[str, list[Any]] = {
    "chain": [*_TEXTS, "Main"],
    "leaf_index": _WHOLE,
    "tree_size": _WHOLE,
    "leaf": [None, "00" * 71, "00" * 73, "AA" * 72, GONE],
    "leaf_hash": _HASHES,
    "hashes": [None, "00" * 32, {}, ["00" * 32] * 65, *([one] for one in _HASHES if one is not GONE), GONE],
    "root": _HASHES,
    "checkpoint": [1, True, [], {}],
}
REFUSED_PROOFS = [{name: value} for name, values in _PROOF_VALUES.items() for value in values]

_CHECKPOINT = f"{LINE}\n3\n{b64encode(bytes(32)).decode()}\n"
_SIGNED = format_note(sign_note(_CHECKPOINT, LINE, [KEY])).decode()
_SIGNATURE = _SIGNED.splitlines()[-1]
_VKEY = format_vkey(KEY.named())
ACCEPTED_TEXTS = {"note": _SIGNED, "checkpoint": _CHECKPOINT, "vkey": _VKEY}


def _vkey(public_key: bytes, name: str = LINE, kind: bytes = b"\x01") -> str:
    return format_vkey(VerifierKey(name, public_key, kind))


_ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
REFUSED_TEXTS = [
    ("note", "nothing", ""),
    ("note", "no blank line", _SIGNED.replace("\n\n", "\n")),
    ("note", "no signature", f"{_CHECKPOINT}\n"),
    ("note", "no newline at the end", _SIGNED[:-1]),
    ("note", "a hyphen for the dash", _SIGNED.replace("\u2014", "-")),
    ("note", "two blanks", _SIGNED.replace(_SIGNATURE, _SIGNATURE.replace(f" {LINE} ", f" {LINE}  "))),
    ("note", "a name with a plus sign", _SIGNED.replace(f" {LINE} ", f" {LINE}+ ")),
    ("note", "no Base 64", _SIGNED.replace(_SIGNATURE, f"\u2014 {LINE} ????????")),
    ("note", "Base 64 that is not canonical", _SIGNED.replace(_SIGNATURE, f"\u2014 {LINE} AAAAAAB=")),
    ("note", "a short signature", _SIGNED.replace(_SIGNATURE, f"\u2014 {LINE} AAAAAA==")),
    ("note", "a control character", _SIGNED.replace("\n3\n", "\n3\r\n")),
    ("note", "too many signatures", _SIGNED + f"{_SIGNATURE}\n" * 64),
    ("note", "more than a mebibyte", "x" * (1 << 20) + _SIGNED),
    ("checkpoint", "no newline at the end", _CHECKPOINT[:-1]),
    ("checkpoint", "two lines", "\n".join(_CHECKPOINT.split("\n")[:2]) + "\n"),
    ("checkpoint", "an empty line", _CHECKPOINT + "\n"),
    ("checkpoint", "a leading zero", _CHECKPOINT.replace("\n3\n", "\n03\n")),
    ("checkpoint", "a negative size", _CHECKPOINT.replace("\n3\n", "\n-3\n")),
    ("checkpoint", "a size beyond 2^63 - 1", _CHECKPOINT.replace("\n3\n", f"\n{2**63}\n")),
    ("checkpoint", "other digits", _CHECKPOINT.replace("\n3\n", "\n\u0663\n")),
    ("checkpoint", "a short root", f"{LINE}\n3\n{b64encode(bytes(31)).decode()}\n"),
    ("checkpoint", "a long root", f"{LINE}\n3\n{b64encode(bytes(33)).decode()}\n"),
    ("vkey", "nothing", ""),
    ("vkey", "no name", _VKEY.removeprefix(LINE)),
    ("vkey", "a blank in the name", _VKEY.replace("/", " ", 1)),
    ("vkey", "another key's id", _VKEY.replace(f"+{_VKEY.split('+')[1]}+", "+00000000+")),
    ("vkey", "an id in capitals", _vkey(KEY.public_key).replace(KEY.named().key_id.hex(), "ABCDEF01")),
    ("vkey", "another type of key", _vkey(KEY.public_key, kind=b"\x04")),
    ("vkey", "31 bytes", _vkey(KEY.public_key[:31])),
    ("vkey", "33 bytes", _vkey(KEY.public_key + b"\0")),
    ("vkey", "order 1", _vkey(b"\x01" + bytes(31))),
    ("vkey", "order 2", _vkey((2**255 - 20).to_bytes(32, "little"))),
    ("vkey", "order 4", _vkey(bytes(32))),
    ("vkey", "order 8", _vkey(bytes.fromhex(_ORDER_8))),
    ("vkey", "a point written in another way", _vkey((2**255 - 18).to_bytes(32, "little"))),
]
"""Of what kind, what is wrong with it, and the text."""

_LINES = {
    f"{ORIGIN}/main": "main",
    f"{ORIGIN}/main~2": "main",
    f"{ORIGIN}/main~17": "main",
    f"{ORIGIN}/a.b-c_d": "a.b-c_d",
    f"{ORIGIN}/other": "main",
    f"{ORIGIN}/main~1": "main",
    f"{ORIGIN}/main~02": "main",
    f"{ORIGIN}/main~": "main",
    f"{ORIGIN}/main~2~3": "main",
    f"{ORIGIN}/main~2x": "main",
    f"{ORIGIN}/x/main": "main",
    f"x{ORIGIN}/main": "main",
    f"{ORIGIN}main": "main",
    f"{ORIGIN}": "main",
    "other.example/log/main": "main",
    "main": "main",
}


def _is_one(line: str, chain: str) -> bool:
    try:
        return epoch_of(line, ORIGIN, chain) > 0
    except EvidenceError:
        return False


ORIGIN_LINES = [(line, chain, _is_one(line, chain)) for line, chain in _LINES.items()]
"""The name of a key, a chain, and whether Python takes it for one of this chain of the log ``ORIGIN``."""
