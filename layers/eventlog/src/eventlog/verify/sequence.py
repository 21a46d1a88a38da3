"""Checks of a sequence document and of documents outside the settled part of a chain."""

from collections.abc import Callable, Iterable, Mapping

from eventlog.formats import hashing
from eventlog.formats.event import Entry, Event, is_erased
from eventlog.formats.note import is_key_name
from eventlog.formats.search_keys import Rules, no_rules
from eventlog.stored import bodies, codec
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence, encode_sequence
from eventlog.verify.documents import check_entry, check_row, understand, with_row
from eventlog.verify.findings import Emit, Finding

ReadBodies = Callable[[Iterable[Entry]], Mapping[str, bytes]]
"""Reads the rows of payloads that are stored apart, by their ids; those that are gone are left out."""


def check_sequence(
    raw: bytes | None,
    first: bytes | None,
    emit: Emit,
    read_bodies: ReadBodies = lambda _: {},
    rules: Rules = no_rules,
) -> SequenceImage | None:
    """Check a sequence document by itself and against the chain's first stored event.

    Returns what was understood of it; None if it is missing or can't be understood, which is a finding.
    """
    event = None if first is None else understand(first)[0]
    if raw is None:
        if first is not None:  # a chain with neither is one that does not exist
            emit(_wrong("the sequence document is gone"))
        return None
    try:
        image = decode_sequence(raw)
        fresh = encode_sequence(image)
    except NotOursError as error:
        emit(_wrong(f"not as this version writes it: {error}"))
        return None
    if fresh != raw:
        emit(_wrong("not as this version writes it: a field more, fewer, in another order or of another type"))
    if not is_key_name(image.origin):
        emit(_wrong("origin is no name that a log can have"))
    _check_genesis(image, event, emit)
    _check_pending(image, emit, read_bodies, rules)
    return image


def _check_genesis(image: SequenceImage, event: Event | None, emit: Emit) -> None:
    """Check that the first event, if that is what is stored first, links to the genesis hash of the chain's origin.

    If it does not agree with itself either, the event was changed and not the origin: the verifier reports it there.
    """
    if event is None or event.seq != 0 or event.prev_hash == hashing.genesis(image.origin, image.chain):
        return
    if _self_consistent(event):
        emit(_wrong("the first event does not link to the genesis hash of origin"))


def _check_pending(image: SequenceImage, emit: Emit, read_bodies: ReadBodies, rules: Rules) -> None:
    """Check the pending entries, and the figures that the document keeps about them."""
    count = image.settled.size + len(image.pending)
    if image.size != count:
        emit(_wrong("size is not settled.size and the pending entries", count, image.size))
    size = sum(len(codec.encode_entry(entry)) for entry in image.pending)
    if image.pending_bytes != size:
        emit(_wrong("pending_bytes is not the size of the pending entries", size, image.pending_bytes))
    if len({entry.event_id for entry in image.pending}) != len(image.pending):
        emit(_wrong("an event id is pending twice"))
    seq = image.settled.size
    for entries in bodies.portions(image.pending):
        rows = read_bodies(entries) if any(map(bodies.is_waiting, entries)) else {}
        for entry in entries:
            _check_one(entry, rows.get(bodies.body_id(entry)), seq, emit, rules)
            seq += 1


def _check_one(entry: Entry, row: bytes | None, seq: int, emit: Emit, rules: Rules) -> None:
    """Check a pending entry with the row of its payload, if that is stored apart."""
    findings: list[Finding] = []
    entry = with_row(entry, row)
    check_entry(entry, seq, findings.append, rules)
    if is_erased(entry):  # only what is settled, and anchored, is ever erased
        detail = "the payload of a pending event is gone"
        findings.append(Finding("payload_missing", seq, entry.payload_hash.hex(), None, detail))
    if not findings and entry.payload_bytes is not None and row is not None and (why := check_row(entry, row)):
        findings.append(Finding("unexpected", seq, None, None, why))
    for finding in findings:
        emit(finding)


def check_strays(documents: Iterable[bytes], later: SequenceImage | None, settled: int | None, emit: Emit) -> None:
    """Check documents outside the settled part against a sequence document that was read after them.

    Two kinds may be there: a document that a settler has just inserted, which equals what the pending entries give, but
    for its keys if it was indexed anew since; and one that was settled meanwhile. The next audit verifies both.
    Anything else is a finding.
    """
    pending = [] if later is None else later.events()
    expected = {event.seq: codec.without_keys(codec.encode_event(event)) for event in pending}
    for raw in documents:
        _, why, seq = understand(raw)
        if seq is not None and settled is not None and later is not None and settled <= seq < later.settled.size:
            continue  # settled between the two reads of the sequence document
        if seq is None or why or expected.get(seq) != codec.without_keys(raw):
            detail = why or "no acknowledged event stands at this seq"
            emit(Finding("unexpected", seq, None, None, detail))


def _wrong(detail: str, expected: int | None = None, actual: int | None = None) -> Finding:
    shown = (None if expected is None else str(expected), None if actual is None else str(actual))
    return Finding("sequence_mismatch", None, *shown, detail)


def _self_consistent(event: Event) -> bool:
    """Whether the event's hash agrees with its own prev_hash: then prev_hash was not edited by itself."""
    leaf = hashing.leaf(event.seq, event.prev_hash, event.entry.content_hash)
    return hashing.leaf_hash(leaf) == event.hash
