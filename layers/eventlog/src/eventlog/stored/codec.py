"""BSON in and out: the one encoding of events and pending entries.

Encoding is deterministic (fixed field order, int64 for every count, subtype-0 binaries), so the audit can compare a
stored document with a fresh encoding byte for byte. Decoding checks every type and refuses what we never write.

Specified in docs/formats/event-and-chain.md.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import bson
from bson import DatetimeMS, Int64
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON
from bson.raw_bson import RawBSONDocument

from eventlog.formats import hashing
from eventlog.formats.event import Entry, Event
from eventlog.stored.checks import check_chain, check_types, hash_at, hashes_at
from eventlog.stored.errors import NotOursError
from eventlog.stored.keys import KEY_FIELDS, keys_fields, read_keys

CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, datetime_conversion=DatetimeConversion.DATETIME_MS
)
_LAST_INT64 = (1 << 63) - 1
_ENTRY_TYPES: dict[str, type] = {
    "event_id": str,
    "event_type": str,
    "source_id": str,
    "timestamp": DatetimeMS,
    "received_at": DatetimeMS,
    "principal": str,
    "payload": str,
    "salt": bytes,
    "payload_hash": bytes,
    "content_hash": bytes,
}
_EVENT_TYPES = {"_id": str, "v": int, "chain": str, "seq": Int64, "prev_hash": bytes, "hash": bytes, "nodes": list}
_TYPES = {**_EVENT_TYPES, **_ENTRY_TYPES}
_NAMES = ("_id", "v", "chain", *_ENTRY_TYPES, "seq", "prev_hash", "hash", "nodes")
_VALUE_TYPES = tuple(_TYPES[name] for name in _NAMES)
_values = itemgetter(*_NAMES)
_entry_values = itemgetter(*_ENTRY_TYPES)
_ENTRY_VALUE_TYPES = tuple(_ENTRY_TYPES.values())


def document_id(chain: str, event_id: str) -> str:
    """Make the ``_id`` in ``events``: unique within a chain, so one tenant can't probe or take another's ids."""
    return f"{chain}/{event_id}"


def encode_entry(entry: Entry) -> bytes:
    """Write a pending entry: the event without chain, seq and link."""
    return bson.encode(entry_fields(entry), codec_options=CODEC)


def encode_event(event: Event) -> bytes:
    """Write a document of ``events``."""
    entry = event.entry
    document: dict[str, Any] = {
        "_id": document_id(entry.chain, entry.event_id),
        "v": 1,
        "chain": entry.chain,
        "event_id": entry.event_id,  # stands before seq; the fields that follow have it again, in the same place
        "seq": Int64(event.seq),
        **_content_fields(entry),
        "prev_hash": event.prev_hash,
        "hash": event.hash,
        "nodes": list(event.nodes),
        **keys_fields(entry.keys),
    }
    return bson.encode(document, codec_options=CODEC)


def decode_event(raw: bytes) -> Event:
    """Understand a document of ``events``.

    Raises:
        NotOursError: a field is missing or of another type, or the version isn't 1.
    """
    return _decode_document(decode(raw))


def decode_events(batch: bytes) -> list[Event]:
    """Understand documents of ``events`` that stand one after the other: faster than one by one.

    Raises:
        NotOursError: as in ``decode_event``.
    """
    try:
        documents = bson.decode_all(batch, CODEC)
    except (InvalidBSON, ValueError, OverflowError) as error:
        raise NotOursError(f"not decodable: {type(error).__name__}") from error
    return [_decode_document(document) for document in documents]


def decode_entry(document: Any, chain: str) -> Entry:
    """Read an entry of a document that ``decode`` gave.

    Raises:
        NotOursError: as in ``decode_event``.
    """
    apart = _payload_bytes(document)
    if apart is not None:
        document = document | {"payload": ""}
    try:
        values = _entry_values(document)
    except (KeyError, TypeError):
        values = ()  # a field is missing, or it is no document: the check below says which
    if tuple(map(type, values)) != _ENTRY_VALUE_TYPES:
        check_types(document, _ENTRY_TYPES)
    _check_lengths(document, apart)
    if not document["salt"]:  # what is pending is settled first, and erased there
        raise NotOursError("a pending event is erased")
    event_id, kind, source_id, at, received, principal, payload, salt, digest, content = values
    times, keys = (int(at), int(received)), read_keys(document)
    return Entry(chain, event_id, kind, source_id, *times, principal, payload, salt, digest, content, apart, keys)


def encode(document: Mapping[str, Any]) -> bytes:
    """Encode a document that ``decode`` gave."""
    return bson.encode(document, codec_options=CODEC)


def join(*documents: bytes) -> bytes:
    """Write one document with the fields of several, which have no name in common, in their order."""
    # A document is its size (int32), its fields and a zero (bsonspec.org): only the first and the last change.
    fields = b"".join(document[4:-1] for document in documents)
    return (len(fields) + 5).to_bytes(4, "little") + fields + b"\0"


def decode(raw: bytes) -> dict[str, Any]:
    """Decode BSON with dates as milliseconds.

    Raises:
        NotOursError: not decodable.
    """
    try:
        return bson.decode(raw, codec_options=CODEC)
    except (InvalidBSON, ValueError, OverflowError) as error:
        raise NotOursError(f"not decodable: {type(error).__name__}") from error


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Write a pending entry, for ``encode`` or as a part of a document."""
    fields = _content_fields(entry)
    return fields if entry.keys is None else fields | keys_fields(entry.keys)


def without_keys(raw: bytes) -> bytes:
    """Return a stored document without what it is found by, which is added anew at any time; as it is if it is none."""
    if not any(b"%b\0" % name.encode() in raw for name in KEY_FIELDS):
        return raw
    try:
        return encode({name: value for name, value in decode(raw).items() if name not in KEY_FIELDS})
    except NotOursError:
        return raw


def _content_fields(entry: Entry) -> dict[str, Any]:
    apart = entry.payload_bytes
    return {
        "event_id": entry.event_id,
        "event_type": entry.event_type,
        "source_id": entry.source_id,
        "timestamp": DatetimeMS(entry.timestamp),
        "received_at": DatetimeMS(entry.received_at),
        "principal": entry.principal,
        **({"payload": entry.payload} if apart is None else {"payload_bytes": Int64(apart)}),
        "salt": entry.salt,
        "payload_hash": entry.payload_hash,
        "content_hash": entry.content_hash,
    }


def _decode_document(document: dict[str, Any]) -> Event:
    """Check all types at once; only if one differs, look at field after field, to name it."""
    apart = _payload_bytes(document)
    if apart is not None:
        document = document | {"payload": ""}
    try:
        values = _values(document)
    except KeyError:
        values = ()  # a field is missing: the checks below name it
    if tuple(map(type, values)) != _VALUE_TYPES:
        check_types(document, _EVENT_TYPES)
        check_types(document, _ENTRY_TYPES)
    _, version, chain, event_id, kind, source_id, at, received, principal, payload, salt, digest, content = values[:13]
    if version != 1:
        raise NotOursError(f"v is {version}")
    check_chain(chain)
    if document["seq"] == _LAST_INT64:  # the seq after it would fit nowhere
        raise NotOursError("seq is the largest number there is")
    _check_lengths(document, apart)
    times = int(at), int(received)
    entry = Entry(chain, event_id, kind, source_id, *times, principal, payload, salt, digest, content, apart)
    if (keys := read_keys(document)) is not None:
        entry = entry._replace(keys=keys)
    prev_hash, leaf = hash_at(document, "prev_hash"), hash_at(document, "hash")
    return Event(entry, int(document["seq"]), prev_hash, leaf, hashes_at(document, "nodes"))


def _payload_bytes(document: Any) -> int | None:
    """Read how large the payload is that is stored apart; None if it stands in the document, or should.

    Raises:
        NotOursError: the size is none that a payload can have.
    """
    if not isinstance(document, dict) or "payload" in document or "payload_bytes" not in document:
        return None
    size = document["payload_bytes"]
    if type(size) is not Int64 or size < len("{}"):
        raise NotOursError("payload_bytes is not the size of a payload")
    return int(size)


def _check_lengths(document: Mapping[str, Any], apart: int | None) -> None:
    """Check that salt and hashes have their lengths, and that a payload that stands here is the text of an object.

    Without this, bytes could be moved from the payload into the salt, or back, and every hash would stay the same.
    Of an erased event both are empty. Whether it may be erased is another matter: the log has to say so.
    """
    salt, payload = document["salt"], document["payload"]
    if len(salt) != hashing.SALT_SIZE and (salt or payload):
        raise NotOursError(f"salt has {len(salt)} bytes, not {hashing.SALT_SIZE}")
    if apart is None and salt and not (payload.startswith("{") and payload.endswith("}")):
        raise NotOursError("payload is not the text of a JSON object")
    hash_at(document, "payload_hash")
    hash_at(document, "content_hash")
