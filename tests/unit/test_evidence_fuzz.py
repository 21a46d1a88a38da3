"""Whatever the input: EvidenceError is all that comes out, and what is accepted has one written form."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.formats import note, proof
from eventlog.formats.anchor import NO_ANCHOR, Seal, parse_claim, verify_anchor
from eventlog.formats.bundle import SeqRange, parse_end, parse_gap, parse_header
from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.checkpoint import format_checkpoint, parse_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import (
    check_event,
    check_receipt,
    event_fields,
    format_event,
    parse_event,
    parse_receipt,
)
from eventlog.formats.hashing import leaf
from eventlog.formats.members import parse_json
from eventlog.formats.restore import Restore, sign_restore, verify_restore
from eventlog.formats.tiles import decode_entries, encode_entries, format_tile, parse_tile
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof, verify_tlog_proof
from tests.support.evidence import KEY, LINE, START, anchored, bundle_lines, checkpoint_of, events, nodes_of, signed

EVENTS = list(events(6))
EVENT = EVENTS[3]
CHECKPOINT = checkpoint_of(EVENTS)
ANCHOR = anchored(CHECKPOINT)
NOTE = signed(CHECKPOINT)
CLAIM = Seal(1, START, NO_ANCHOR).message(format_checkpoint(CHECKPOINT))
RESTORE = sign_restore(Restore(f"{LINE}~2", 2, 1, 6, START, "a backup"), [KEY])
PROOF = format_tlog_proof(
    TlogProof(
        EVENT.seq,
        tuple(proof.heads(proof.inclusion_ranges(EVENT.seq, 6), nodes_of(EVENTS))),
        ANCHOR,
        leaf(EVENT.seq, EVENT.prev_hash, EVENT.entry.content_hash),
    )
)
BUNDLE = b"".join(bundle_lines(EVENTS, [2, 3], SeqRange(2, 4), NOTE))
ENTRIES = encode_entries([b"a", b"", b"bcd"])
PINNED = [KEY.named()]
THOROUGH = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def edited(draw: st.DrawFn, document: bytes) -> bytes:
    """A document with one to three slices replaced: by nothing, by a slice of it, or by anything."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(document)))
        end = draw(st.integers(start, min(len(document), start + 60)))
        at = draw(st.integers(0, len(document)))
        pieces = st.just(b"") | st.just(document[at : at + 60]) | st.binary(max_size=4) | st.sampled_from(list(WORDS))
        document = document[:start] + draw(pieces) + document[end:]
    return document


WORDS = (
    b"\n",
    b"\n\n",
    b"\r",
    b"\0",
    b"=",
    b" ",
    b'"',
    b"{",
    b"[" * 300,
    b"9" * 30,
    b"-1",
    b"null",
    "—\u2003".encode(),
)


def inputs(document: bytes) -> st.SearchStrategy[bytes]:
    return edited(document) | st.binary(max_size=200)


def accepted(action: Callable[[], Any]) -> Any:
    """What comes out; None if it is refused as it should be."""
    try:
        return action()
    except EvidenceError as error:
        why = str(error)
    assert "\n" not in why
    return None


def passes(check: Callable[[], None]) -> bool:
    """Whether a check passes; if not, it refuses as it should."""
    try:
        check()
    except EvidenceError:
        return False
    return True


@THOROUGH
@given(inputs(ANCHOR))
def test_notes(data: bytes) -> None:
    parsed = accepted(lambda: note.parse_note(data))
    assert parsed is None or note.format_note(parsed) == data
    accepted(lambda: verify_checkpoint(data, PINNED))


@THOROUGH
@given(inputs(ANCHOR))
def test_anchors(data: bytes) -> None:
    """What is accepted says what the original says; unknown signatures may come and go."""
    anchor = accepted(lambda: verify_anchor(data, [KEY.public_key]))
    original = verify_anchor(ANCHOR, [KEY.public_key])
    assert anchor is None or (anchor.checkpoint, anchor.seal) == (original.checkpoint, original.seal)


@THOROUGH
@given(inputs(CLAIM))
def test_claims(data: bytes) -> None:
    parsed = accepted(lambda: parse_claim(data))
    assert parsed is None or parsed[1].message(format_checkpoint(parsed[0])) == data


@THOROUGH
@given(inputs(RESTORE))
def test_restores(data: bytes) -> None:
    assert accepted(lambda: verify_restore(data, [KEY.public_key])) in (None, verify_restore(RESTORE, [KEY.public_key]))


@THOROUGH
@given(inputs(format_checkpoint(CHECKPOINT).encode()).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_checkpoints(text: str) -> None:
    parsed = accepted(lambda: parse_checkpoint(text))
    assert parsed is None or text.startswith(format_checkpoint(parsed))


@THOROUGH
@given(inputs(note.format_vkey(KEY.named()).encode()).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_verifier_keys(text: str) -> None:
    parsed = accepted(lambda: note.parse_vkey(text))
    assert parsed is None or note.format_vkey(parsed) == text


@THOROUGH
@given(inputs(PROOF))
def test_proof_files(data: bytes) -> None:
    parsed = accepted(lambda: parse_tlog_proof(data))
    assert parsed is None or format_tlog_proof(parsed) == data
    assert accepted(lambda: verify_tlog_proof(data, EVENT.hash, PINNED)) in (None, CHECKPOINT)


@THOROUGH
@given(
    st.sampled_from(["0", "63", "entries"]) | st.text(max_size=3),
    inputs(b"x001/x234/067.p/8").map(lambda data: data.decode("utf-8", "surrogateescape")),
)
def test_tile_paths(level: str, place: str) -> None:
    parsed = accepted(lambda: parse_tile(level, place))
    assert parsed is None or format_tile(parsed) == f"{level}/{place}"


@THOROUGH
@given(inputs(ENTRIES))
def test_bundles_of_entries(data: bytes) -> None:
    parsed = accepted(lambda: decode_entries(data))
    assert parsed is None or encode_entries(parsed) == data


@THOROUGH
@given(inputs(format_event(EVENT)))
def test_events_as_text(data: bytes) -> None:
    """What is accepted with right hashes is the event, in whatever form its JSON is."""
    parsed = accepted(lambda: parse_event(parse_json(data)))
    if parsed is not None and passes(lambda: check_event(parsed)):
        assert parsed == EVENT._replace(nodes=())


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
JSONLIKE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3), max_leaves=6
)
MEMBERS: dict[str, Any] = (
    orjson.loads(format_event(EVENT))
    | {"format": "eventlog-bundle/v1", "origin": "o", "checkpoint": "c", "keys": [], "selection": {}}
    | {"gap": [0, 1], "hashes": ["00" * 32], "end": {"events": 1, "next_seq": None}}
)


@pytest.mark.parametrize("parse", [parse_event, parse_receipt, parse_header, parse_gap, parse_end])
@THOROUGH
@given(name=st.sampled_from(sorted(MEMBERS)), value=JSONLIKE, whole=st.booleans())
def test_objects_of_any_shape(parse: Callable[[Any], Any], name: str, value: Any, whole: bool) -> None:
    names = set(event_fields(EVENT)) if parse in {parse_event, parse_receipt} else set(MEMBERS)
    fields = {key: MEMBERS[key] for key in names} | {name: value}
    parsed = accepted(lambda: parse(fields if whole else value))
    if parse is parse_receipt and parsed is not None:
        passes(lambda: check_receipt(parsed))
    if parse is parse_event and parsed is not None:
        passes(lambda: check_event(parsed))


@THOROUGH
@given(inputs(BUNDLE))
def test_bundles(data: bytes) -> None:
    """What is accepted shows what the original shows."""
    report = accepted(lambda: verify_bundle(data.splitlines(keepends=True), PINNED))
    if report is not None:
        (original,) = verify_bundle(BUNDLE.splitlines(keepends=True), PINNED).parts
        assert {(part.checkpoint, part.complete, part.events) for part in report.parts} == {
            (original.checkpoint, original.complete, original.events)
        }


@THOROUGH
@given(
    st.binary(max_size=33) | st.just(EVENT.hash),
    st.integers(-2, 2**70),
    st.integers(-2, 2**70),
    st.lists(st.binary(min_size=32, max_size=32) | st.binary(max_size=3), max_size=70),
    st.binary(max_size=33) | st.just(CHECKPOINT.root),
)
def test_proofs(leaf_hash: bytes, index: int, size: int, hashes: list[bytes], root: bytes) -> None:
    """No hashes made up at random prove anything, but of a tree of one leaf and of one that extends nothing."""
    if passes(lambda: proof.verify_inclusion(leaf_hash, index, size, hashes, root)):
        assert (index, size, hashes, leaf_hash) == (0, 1, [], root)
    if passes(lambda: proof.verify_consistency(index, size, hashes, leaf_hash, root)):
        assert not hashes
        assert index in {0, size}
