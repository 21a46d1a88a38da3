"""Evidence bundles whose lines are malformed, or written in another way than the one."""

from typing import Any

import orjson
import pytest

from eventlog.formats import bundle
from eventlog.formats.bundle import Header, SeqRange
from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey
from tests.support.each import each
from tests.support.evidence import CHAIN, KEY, LINE, ORIGIN, Key, bundle_lines, checkpoint_of, events, signed

EVENTS = list(events(13))
CHECKPOINT = checkpoint_of(EVENTS)
NOTE = signed(CHECKPOINT)
LINES = bundle_lines(EVENTS, range(4, 9), SeqRange(4, 9))
HEADER, FIRST_GAP, FOURTH, FIFTH, *_, END = LINES


def refused(line: bytes, by: bytes, why: str) -> None:
    """The bundle with another line in the place of one."""
    with pytest.raises(EvidenceError, match=why):
        verify_bundle([by if each == line else each for each in LINES], [KEY.named()])


def header(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "origin": ORIGIN,
        "chain": CHAIN,
        "checkpoint": NOTE,
        "keys": (format_vkey(KEY.named()),),
        "selection": SeqRange(4, 9),
    }
    return bundle.header_line(Header(**(fields | changes)))


def raw_header(**changes: Any) -> bytes:
    return orjson.dumps(orjson.loads(HEADER) | changes) + b"\n"


BAD_HEADERS: list[tuple[bytes, str]] = [
    (header(origin="other.example"), "the checkpoint is of another log or chain"),
    (header(chain="other"), "the checkpoint is of another log or chain"),
    (header(chain="Main"), "chain must be a chain's name"),
    (header(origin="log.example", chain="events/main"), "chain must be a chain's name"),
    (header(checkpoint=signed(Checkpoint(LINE, 14, CHECKPOINT.root))), "ends at 13 of 14 leaves"),
    (header(checkpoint=signed(Checkpoint(LINE, 12, CHECKPOINT.root))), "beyond the 12 leaves"),
    (header(checkpoint=signed(Checkpoint(LINE, 13, bytes(32)))), "do not lead to the checkpoint's root"),
    (header(checkpoint=signed(CHECKPOINT, Key("other"))), "not signed by a key that is known here"),
    (header(checkpoint=signed(checkpoint_of(EVENTS, f"{LINE}~2"))), "not signed by a key that is known here"),
    (header(checkpoint=b""), "a text, a blank line"),
    (header(checkpoint=b"x" * (1 << 20 | 1)), "checkpoint is too long"),
    (header(keys=("x",)), "verifier key"),
    (header(keys=[format_vkey(KEY.named())] * 65), "at most 64 verifier keys"),
    (raw_header(keys=[1]), "at most 64 verifier keys"),
    (raw_header(keys=None), "at most 64 verifier keys"),
    (raw_header(format="eventlog-bundle/v3"), "of the format eventlog-bundle/v1"),
    (raw_header(origin=1), "origin must be a string"),
    (raw_header(checkpoint=None), "checkpoint must be a string"),
    (raw_header(selection=None), "selection must be a JSON object"),
    (raw_header(selection={}), "not written as"),
    (raw_header(selection={"from_seq": 4}), "to_seq must be a whole number"),
    (raw_header(selection={"from_seq": 4.5, "to_seq": 9}), "from_seq must be a whole number"),
    (raw_header(selection={"from_seq": 9, "to_seq": 4}), "from_seq is beyond to_seq"),
    (raw_header(selection={"start_time": "yesterday", "end_time": None}), "start_time: not an RFC 3339 time"),
    (raw_header(selection={"start_time": 1, "end_time": None}), "start_time must be a string"),
    (raw_header(selection={"to_seq": 9, "from_seq": 4}), "not written as"),
    (raw_header(more=1), "not written as"),
    (HEADER[:-1], "not written as"),
    (b" " + HEADER, "not written as"),
    (HEADER.replace(b":", b": ", 1), "not written as"),
    (HEADER[:-1] + b"\r\n", "not written as"),
    (HEADER.replace(b'"chain":"main"', b'"chain":"\\u006dain"'), "not written as"),
    (FIFTH, "begins with a header"),
    (END, "begins with a header"),
    (b"\n", "not JSON"),
    (b"[]\n", "is a JSON object"),
    (b"null\n", "is a JSON object"),
]


@each("line, why", BAD_HEADERS)
def test_a_header_that_is_not_this_bundles_is_refused(line: bytes, why: str) -> None:
    refused(HEADER, line, why)


GAP = orjson.loads(FIRST_GAP)
BAD_LINES: list[tuple[bytes, str]] = [
    (b"", "line 2: not JSON"),
    (b"\n", "not JSON"),
    (b"{}\n", "is an event, a gap or the end"),
    (HEADER, "is an event, a gap or the end"),
    (b'{"event":null}\n', "an event must be a JSON object"),
    (b'{"event":{}}\n', "all of them and no other"),
    (FIFTH.replace(b"}}\n", b',"more":1}}\n'), "all of them and no other"),
    (FIFTH.replace(b"}}\n", b'},"more":1}\n'), "not written as"),
    (FIFTH.replace(b"}}\n", b'},"gap":[0,4]}\n'), "not written as"),
    (FIFTH.replace(b"10000000000000000", b"10000000000000001"), "not written as"),
    (FIFTH.replace(b"1.5", b"1.50"), "not written as"),
    (FIFTH.replace(b'"seq":5', b'"seq":5.0'), "seq must be a whole number"),
    (b'{"gap":[0,4],"hashes":null}\n', "a gap is .start, end. with at most 128 hashes"),
    (b'{"gap":4,"hashes":[]}\n', "a gap is"),
    (b'{"gap":[4],"hashes":[]}\n', "a gap is"),
    (b'{"gap":[0,4]}\n', "a gap is"),
    (b'{"gap":[0,-4],"hashes":[]}\n', "gap must be a whole number"),
    (b'{"gap":[0,1e400],"hashes":[]}\n', "too large for a double"),
    (b'{"gap":[0,9007199254740992],"hashes":[]}\n', "gap must be a whole number"),
    (b'{"gap":[0,true],"hashes":[]}\n', "gap must be a whole number"),
    (b'{"gap":[4,4],"hashes":[]}\n', "has at least one leaf"),
    (b'{"gap":[4,0],"hashes":[]}\n', "has at least one leaf"),
    (orjson.dumps({"gap": [0, 4], "hashes": GAP["hashes"] * 129}), "at most 128 hashes"),
    (b'{"gap":[0,4],"hashes":[1]}\n', "hashes must be 32 bytes"),
    (FIRST_GAP.replace(GAP["hashes"][0].encode(), GAP["hashes"][0].upper().encode()), "hashes must be 32 bytes"),
    (FIRST_GAP.replace(b",", b", "), "not written as"),
    (b'{"end":null}\n', "end must be a JSON object"),
    (b'{"end":{}}\n', "events must be a whole number"),
    (b'{"end":{"events":0,"next_seq":"4"}}\n', "next_seq must be a whole number"),
    (b'{"end":{"events":0}}\n', "not written as"),
    (b'{"end":{"next_seq":null,"events":0}}\n', "not written as"),
    (b"\xff\n", "not UTF-8"),
    (b"[" * 100_000, "nested far too deep"),
    (b'{"event":' + b"[" * 200 + b"]" * 200 + b"}\n", "nested deeper than 64 levels"),
    (b'{"gap":[0,4],"gap":[0,4],"hashes":[]}\n', "duplicate key"),
    (b" " * (bundle.MAX_LINE + 1), "longer than 4194304 bytes"),
]


@each("line, why", BAD_LINES)
def test_a_malformed_line_is_refused(line: bytes, why: str) -> None:
    refused(FIRST_GAP, line, f"^line 2: .*{why}" if not why.startswith("line") else why)
