"""Checks of one stored event by itself: whether it can be understood, its payload and its content."""

from typing import Any

from eventlog.formats import hashing
from eventlog.formats.canonical import is_canonical_object
from eventlog.formats.event import Entry, Event, content_hash_of, is_erased
from eventlog.formats.search_keys import Rules, UnindexableError, name_of
from eventlog.stored import bodies, codec
from eventlog.stored.errors import NotOursError
from eventlog.verify.findings import Emit, Finding, mismatch


def check_entry(entry: Entry, seq: int, emit: Emit, rules: Rules) -> list[bytes]:
    """Check payload, content and keys; return the content hashes that the event's hash may have been made of.

    Of an erased event all but the payload is checked. Whether it may be erased is for the audit to say.
    """
    if is_erased(entry):
        if entry.keys is not None and entry.keys.values:
            emit(Finding("index_mismatch", seq, None, None, "the event is erased, and still has keys"))
        return _without_payload(entry, seq, emit)
    if bodies.is_waiting(entry):
        detail = "the payload, which is stored apart, is gone or can't be read"
        emit(Finding("payload_missing", seq, entry.payload_hash.hex(), None, detail))
        return _without_payload(entry, seq, emit)
    payload = hashing.payload_hash(entry.salt, entry.payload.encode())
    found = _content(entry, payload)
    if payload == entry.payload_hash and found == entry.content_hash:
        if not is_canonical_object(entry.payload.encode()):  # its hashes are right, but no append wrote it
            detail = "the payload is not the canonical text of a JSON object"
            emit(Finding("unexpected", seq, None, None, detail))
        else:
            _check_keys(entry, seq, emit, rules)
        return [entry.content_hash]
    # Which field was edited? The stored content hash is right if it follows from the fields with either payload hash,
    # the recomputed or the stored one; then the content is no second finding beside the payload.
    candidates = [entry.content_hash, found, _content(entry, entry.payload_hash)]
    if payload != entry.payload_hash:
        detail = "the payload or salt does not give the stored payload_hash"
        emit(mismatch("payload_mismatch", seq, payload, entry.payload_hash, detail))
    if entry.content_hash not in candidates[1:]:
        detail = "the event's fields do not give the stored content_hash"
        emit(mismatch("content_mismatch", seq, found, entry.content_hash, detail))
    return [candidate for candidate in candidates if candidate]


def understand(raw: bytes) -> tuple[Event | None, str, int | None]:
    """Understand a stored document: the event, or None and why it isn't one; and its seq, if that is a whole number.

    A payload that is stored apart is taken from the row behind the document, whatever its hash; ``check_entry`` finds
    what is wrong with it.
    """
    raw, row = bodies.split(raw)
    try:
        event = codec.decode_event(raw)
    except NotOursError as error:
        return None, str(error), _seq(raw)
    return event._replace(entry=with_row(event.entry, row)), "", event.seq


def with_row(entry: Entry, row: bytes | None) -> Entry:
    """Give an entry the payload that a row has, right or wrong; without one that can be read it stays as it is."""
    if not bodies.is_waiting(entry) or row is None:
        return entry
    try:
        return entry._replace(payload=bodies.decode_body(row).payload)
    except NotOursError:
        return entry


def check_row(entry: Entry, row: bytes) -> str | None:
    """Say how the row of an intact payload differs from what this version writes; None if it doesn't."""
    if bodies.encode_body(entry, bodies.decode_body(row).at) != row:
        return "the row of its payload is not as this version writes it: its id, or the fields or their order"
    if len(entry.payload.encode()) != entry.payload_bytes:
        return "payload_bytes is not the size of the payload"
    return None


def _without_payload(entry: Entry, seq: int, emit: Emit) -> list[bytes]:
    """Check an event without its payload, with the payload hash that it states."""
    found = _content(entry, entry.payload_hash)
    if found != entry.content_hash:
        detail = "the event's fields do not give the stored content_hash"
        emit(mismatch("content_mismatch", seq, found, entry.content_hash, detail))
    return [candidate for candidate in (entry.content_hash, found) if candidate]


def _check_keys(entry: Entry, seq: int, emit: Emit, rules: Rules) -> None:
    """Check that the keys an event is found by are those of its payload, by the version of the declaration it names.

    An event without keys is none that was hidden: whoever searches is told that not all of the chain is indexed.
    """
    if entry.keys is None:
        return
    # Whose version nobody has declared, its keys could be anything. The values are content: only names are told.
    version, values = entry.keys
    detail = f"keys_version is {version}, and no such version of the search fields was declared"
    if (rule := rules(version)) is not None:
        try:
            derived = set(rule.keys_of(entry.payload).values)
        except UnindexableError:
            derived = set()
        names = sorted({name_of(key) for key in derived.symmetric_difference(values)} & set(rule.fields))
        detail = f"keys are not those that version {version} of the search fields gives: {', '.join(names) or 'order'}"
        if values == tuple(sorted(derived)):
            return
    emit(Finding("index_mismatch", seq, None, None, detail))


def _seq(raw: bytes) -> int | None:
    """Read the seq of a document that is no event; a double or a 32-bit number counts if its value is whole."""
    try:
        seq: Any = codec.decode(raw).get("seq")
    except NotOursError:
        return None
    if isinstance(seq, bool) or not isinstance(seq, (int, float)) or not abs(seq) < 2**63 - 1:
        return None
    return int(seq) if seq == int(seq) else None


def _content(entry: Entry, payload_hash: bytes) -> bytes | None:
    """Compute the content hash with this payload hash; None if the fields can't be hashed at all."""
    try:
        return content_hash_of(entry, payload_hash)
    except ValueError:  # a time outside the years this version writes
        return None
