"""The hashes of format version 1: one formula a function. SHA-256 everywhere, ``||`` joins bytes.

Specified in docs/formats/event-and-chain.md.
"""

from binascii import hexlify
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain as chained

import orjson

from eventlog.formats.times import format_time

SALT_SIZE = 16
HASH_SIZE = 32
_ESCAPED = bytes(range(0x20)) + b'"\\'
"""What JSON text has another way to write of (RFC 8785, section 3.2.2.2)."""
_CONTENT = (
    b'{"chain":CHAIN,"event_id":"%b","event_type":"%b","payload_hash":"%b","principal":"%b","received_at":"%b",'
    b'"source_id":"%b","timestamp":"%b","v":1}'
)


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


def payload_hashes(salts: Iterable[bytes], payloads: Iterable[bytes]) -> list[bytes]:
    """Return the payload hashes of many events.

    Raises:
        ValueError: as ``payload_hash``.
    """
    salts = list(salts)
    if set(map(len, salts)) - {SALT_SIZE}:
        raise ValueError(f"a salt has not {SALT_SIZE} bytes")
    return [sha256(salt + payload).digest() for salt, payload in zip(salts, payloads, strict=True)]


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


def content_hashes(
    chain: str, texts: Sequence[Sequence[bytes]], payload_hashes: Iterable[bytes], times: Iterable[Sequence[int]]
) -> list[bytes]:
    """Return the content hashes of many events, as ``content_hash`` does.

    ``texts``: the events' ids, types, sources and principals in UTF-8; ``times``: their timestamps, and when they were
    received.

    Raises:
        ValueError: a text is not UTF-8, or a time outside of the years that can be written.
    """
    joined = b" ".join(chained.from_iterable(texts))
    joined.decode()
    if len(joined.translate(None, _ESCAPED)) < len(joined):
        texts = [[orjson.dumps(text.decode())[1:-1] for text in column] for column in texts]
    ids, types, sources, principals = texts
    timestamps, received = map(_written, times)
    rows = zip(ids, types, map(hexlify, payload_hashes), principals, received, sources, timestamps, strict=True)
    template = _CONTENT.replace(b"CHAIN", orjson.dumps(chain).replace(b"%", b"%%"))
    return [sha256(template % row).digest() for row in rows]


def _written(times: Sequence[int]) -> Iterable[bytes]:
    """Write times, each but once: what was appended together was received at one time."""
    written = {millis: format_time(millis).encode() for millis in set(times)}
    return map(written.__getitem__, times)


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


def leaf_hashes(seq: int, prev_hash: bytes, contents: Iterable[bytes]) -> list[bytes]:
    """Return ``leaf_hash(leaf(...))`` of events from ``seq`` on, each of which is the next one's ``prev_hash``.

    All hashes must have 32 bytes: the lengths are not looked at.
    """
    hashes = []
    for number, content in enumerate(contents, seq):
        prev_hash = sha256(b"\x00" + number.to_bytes(8, "big") + prev_hash + content).digest()
        hashes.append(prev_hash)
    return hashes


def genesis(origin: str, chain: str) -> bytes:
    r"""Return SHA-256("eventlog/v1\n" || origin || "/" || chain): the first event's ``prev_hash``."""
    return sha256(f"eventlog/v1\n{origin}/{chain}".encode()).digest()
