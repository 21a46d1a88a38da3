"""Proof files: one written form, and nothing in them that can be changed."""

import base64
from dataclasses import replace

import pytest

from eventlog.formats import proof
from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import leaf
from eventlog.formats.tlog_proof import MAX_PROOF, TlogProof, format_tlog_proof, parse_tlog_proof, verify_tlog_proof
from tests.support.each import each
from tests.support.evidence import KEY, Key, anchored, checkpoint_of, events, nodes_of, signed

EVENTS = list(events(13))
NODES = nodes_of(EVENTS)
CHECKPOINT = checkpoint_of(EVENTS)
NOTE = anchored(CHECKPOINT)
PINNED = [KEY.named()]


def leaf_of(seq: int) -> bytes:
    return leaf(seq, EVENTS[seq].prev_hash, EVENTS[seq].entry.content_hash)


def made(seq: int, size: int = 13) -> TlogProof:
    hashes = proof.heads(proof.inclusion_ranges(seq, size), NODES)
    note = signed(checkpoint_of(EVENTS[:size]))
    return TlogProof(seq, tuple(hashes), note, leaf_of(seq))


GOOD = made(5)
DATA = format_tlog_proof(GOOD)


@each("size", range(1, 14))
def test_the_proof_of_every_event_verifies_and_comes_back_as_it_was_written(size: int) -> None:
    for seq in range(size):
        for extra in (leaf_of(seq), None):
            whole = replace(made(seq, size), extra=extra)
            data = format_tlog_proof(whole)
            assert parse_tlog_proof(data) == whole
            assert verify_tlog_proof(data, EVENTS[seq].hash, PINNED).size == size


def test_the_file_is_written_as_c2sp_has_it() -> None:
    whole = TlogProof(73894, (bytes(32), b"\xff" * 32), NOTE, b"extra")
    assert format_tlog_proof(whole) == (
        b"c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 73894\n"
        + base64.b64encode(bytes(32))
        + b"\n"
        + base64.b64encode(b"\xff" * 32)
        + b"\n\n"
        + NOTE
    )


@pytest.mark.parametrize("whole", [TlogProof(0, (), b"x"), TlogProof(MAX_SIZE, (bytes(32),) * 63, b"\n\n\n", b"\0")])
def test_the_least_and_the_greatest_proof_come_back(whole: TlogProof) -> None:
    assert parse_tlog_proof(format_tlog_proof(whole)) == whole


def test_a_proof_of_another_leaf_is_refused_with_and_without_the_leaf_in_it() -> None:
    with pytest.raises(EvidenceError, match="not the leaf that was asked about"):
        verify_tlog_proof(DATA, EVENTS[6].hash, PINNED)
    with pytest.raises(EvidenceError, match="does not lead to the root"):
        verify_tlog_proof(format_tlog_proof(replace(GOOD, extra=None)), EVENTS[6].hash, PINNED)


@pytest.mark.parametrize("extra", [b"\0", leaf_of(6), leaf_of(5) + b"\0"])
def test_extra_data_that_is_not_the_leaf_is_refused(extra: bytes) -> None:
    with pytest.raises(EvidenceError, match="not the leaf that was asked about"):
        verify_tlog_proof(format_tlog_proof(replace(GOOD, extra=extra)), EVENTS[5].hash, PINNED)


def test_a_leaf_that_stands_at_another_place_than_it_says_is_refused() -> None:
    """A log that puts event 0 at index 1 as well, under a valid signature."""
    twice = [EVENTS[0], EVENTS[0]._replace(seq=1)]
    whole = TlogProof(1, (EVENTS[0].hash,), signed(checkpoint_of(twice)), leaf_of(0))
    with pytest.raises(EvidenceError, match="names another place"):
        verify_tlog_proof(format_tlog_proof(whole), EVENTS[0].hash, PINNED)


def test_another_index_is_refused() -> None:
    for index in {*range(20)} - {5}:
        whole = replace(GOOD, index=index)
        with pytest.raises(EvidenceError, match="names another place"):
            verify_tlog_proof(format_tlog_proof(whole), EVENTS[5].hash, PINNED)
        with pytest.raises(EvidenceError, match=r"does not lead|too many|too few|is not in a tree"):
            verify_tlog_proof(format_tlog_proof(replace(whole, extra=None)), EVENTS[5].hash, PINNED)


def test_a_checkpoint_of_an_unknown_key_or_another_tree_is_refused() -> None:
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_tlog_proof(DATA, EVENTS[5].hash, [Key("other").named()])
    smaller = replace(GOOD, checkpoint=signed(checkpoint_of(EVENTS[:12])))
    with pytest.raises(EvidenceError, match=r"does not lead"):
        verify_tlog_proof(format_tlog_proof(smaller), EVENTS[5].hash, PINNED)


FIRST, EXTRA, INDEX, HASH, *_ = DATA.split(b"\n")
BAD = [
    (b"", "first line"),
    (b"\n\n", "first line"),
    (DATA.replace(b"@v1", b"@v2"), "first line"),
    (b"\n" + DATA, "first line"),
    (b"\xff" + DATA, "first line"),
    (DATA.partition(b"\n\n")[0], "ends with an empty line and a checkpoint"),
    (DATA.partition(b"\n\n")[0] + b"\n\n", "ends with an empty line and a checkpoint"),
    (FIRST + b"\n\n" + NOTE, "no index line"),
    (FIRST + b"\n" + EXTRA + b"\n\n" + NOTE, "no index line"),
    (DATA.replace(INDEX + b"\n", b""), "no index line"),
    (DATA.replace(EXTRA + b"\n" + INDEX, INDEX + b"\n" + EXTRA), "Base 64"),
    (DATA.replace(EXTRA, EXTRA + b"\n" + EXTRA), "no index line"),
    (DATA.replace(INDEX, INDEX + b"\n" + INDEX), "Base 64"),
    (DATA.replace(b"extra ", b"Extra "), "no index line"),
    (DATA.replace(EXTRA, b"extra "), "without data is left out"),
    (DATA.replace(EXTRA, EXTRA[:-1]), "extra data is not Base 64"),
    (DATA.replace(EXTRA, b"extra AAB="), "extra data is not canonical"),
    (DATA.replace(b"index 5", b"index 05"), "the index is not a decimal"),
    (DATA.replace(b"index 5", b"index -5"), "the index is not a decimal"),
    (DATA.replace(b"index 5", b"index  5"), "the index is not a decimal"),
    (DATA.replace(b"index 5", b"index 5 "), "the index is not a decimal"),
    (DATA.replace(b"index 5", b"index "), "the index is not a decimal"),
    (DATA.replace(b"index 5", b"index 9223372036854775808"), "the index is not a decimal"),
    (DATA.replace(b"\n", b"\r\n"), "first line"),
    (DATA.replace(HASH, HASH[4:]), "must have 32 bytes"),
    (DATA.replace(HASH, HASH[:-1]), "hash of the proof is not Base 64"),
    (DATA.replace(HASH, HASH + b" "), "Base 64"),
    (DATA.replace(HASH, b"\xc3\xa9" * 22), "hash of the proof is not Base 64"),
    (DATA.replace(HASH, b"\n".join([HASH] * 64)), "at most 63 hashes"),
    (DATA + b"x" * MAX_PROOF, "longer than"),
]


@pytest.mark.parametrize(("data", "why"), BAD)
def test_a_malformed_proof_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=why):
        parse_tlog_proof(data)


@each("at", range(len(DATA)))
def test_any_one_byte_changed_is_refused(at: int) -> None:
    changed = bytearray(DATA)
    changed[at] ^= 1
    with pytest.raises(EvidenceError):
        verify_tlog_proof(bytes(changed), EVENTS[5].hash, PINNED)
