"""The hashes of format version 1: one formula a function. SHA-256 everywhere, ``||`` joins bytes.

Specified in docs/formats/event-and-chain.md.
"""

import re
from hashlib import sha256

import orjson

from eventlog.formats.times import format_time

SALT_SIZE = 16
HASH_SIZE = 32
_CHAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def payload_hash(salt: bytes, payload: bytes) -> bytes:
    """Return SHA-256(salt || JCS(payload)); the salt is 16 random bytes, so an erased payload can't be guessed.

    The salt's length is fixed: otherwise bytes could be moved across the border, and two different payloads, one of
    them empty, would have one hash.

    Raises:
        ValueError: the salt is not 16 bytes long.
    """
    if len(salt) != SALT_SIZE:
        raise ValueError(f"the salt has {len(salt)} bytes, not {SALT_SIZE}")
    return sha256(salt + payload).digest()


def content_hash(
    *,
    chain: str,
    event_id: str,
    event_type: str,
    source_id: str,
    timestamp: int,
    received_at: int,
    principal: str,
    payload_hash: bytes,
) -> bytes:
    """Return SHA-256(JCS({v: 1, chain, event_id, ..., payload_hash})); times are milliseconds since 1970."""
    # RFC 8785 wants sorted keys and no blanks. The members stand in sorted order here and all are strings but ``v``, so
    # orjson's output is canonical as it is.
    content = {
        "chain": chain,
        "event_id": event_id,
        "event_type": event_type,
        "payload_hash": payload_hash.hex(),
        "principal": principal,
        "received_at": format_time(received_at),
        "source_id": source_id,
        "timestamp": format_time(timestamp),
        "v": 1,
    }
    return sha256(orjson.dumps(content)).digest()


def leaf(seq: int, prev_hash: bytes, content: bytes) -> bytes:
    """Return uint64_be(seq) || prev_hash || content_hash: 72 bytes without personal data.

    Raises:
        ValueError: a hash is not 32 bytes long, so that the parts could not be told apart.
    """
    if len(prev_hash) != HASH_SIZE or len(content) != HASH_SIZE:
        raise ValueError(f"a leaf takes two hashes of {HASH_SIZE} bytes, not of {len(prev_hash)} and {len(content)}")
    return seq.to_bytes(8, "big") + prev_hash + content


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || leaf), RFC 9162, section 2.1.1: the event's ``hash`` and the next one's ``prev_hash``."""
    return sha256(b"\x00" + data).digest()


def is_chain_name(name: str) -> bool:
    """Return whether a chain can have this name.

    No slash is in it, and no ``~``: so the last slash of an origin line, and of what the genesis hash is of, is where
    the log's origin ends, whatever that has in it.
    """
    return _CHAIN.fullmatch(name) is not None


def genesis(origin: str, chain: str) -> bytes:
    r"""Return SHA-256("eventlog/v1\n" || origin || "/" || chain): the first event's ``prev_hash``."""
    return sha256(f"eventlog/v1\n{origin}/{chain}".encode()).digest()
