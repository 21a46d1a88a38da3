"""The bodies of the witness protocol with every bad input; whatever comes, all that is raised is EvidenceError."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.formats.cosignature import Subtree, format_cosigned, format_subtree, parse_cosigned, parse_subtree
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey, parse_note
from eventlog.formats.policy import format_policy, parse_policy
from eventlog.formats.witness_protocol import (
    MAX_ANSWER,
    MAX_REQUEST,
    AddCheckpoint,
    format_answer,
    format_request,
    format_size,
    parse_answer,
    parse_request,
    parse_size,
)
from tests.support.each import each
from tests.support.witnesses import ed25519

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors/cosignatures.json").read_text(encoding="utf-8")
)
TIME: int = VECTOR["time"]
REQUEST = VECTOR["request"].encode()
CHECKPOINT = parse_request(REQUEST).checkpoint
TEXT = parse_note(CHECKPOINT).text
SUBTREE = Subtree("witness.example/w1", TIME, "log.example/eventlog/main", 0, 1, bytes(32))
POLICY = f"witness a {format_vkey(ed25519('w').key)}\ngroup g any a\nquorum g\n".encode()
PROOF = AddCheckpoint(1, (bytes(32), b"\1" * 32), CHECKPOINT)


def test_a_request_and_a_size_are_read_back() -> None:
    assert parse_request(format_request(PROOF)) == PROOF
    assert parse_request(REQUEST) == AddCheckpoint(0, (), CHECKPOINT)
    assert (format_size(12), parse_size(b"12\n")) == (b"12\n", 12)


HASH_LINE = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@each(
    "data",
    [
        b"",
        b"old 0\n\n",
        CHECKPOINT,
        REQUEST.replace(b"old 0", b"old 00"),
        REQUEST.replace(b"old 0", b"old -1"),
        REQUEST.replace(b"old 0", b"old  0"),
        REQUEST.replace(b"old 0", b"Old 0"),
        REQUEST.replace(b"old 0", b"old 9223372036854775808"),
        REQUEST.replace(b"old 0\n", b"old 0\r\n"),
        REQUEST.replace(b"old 0\n", b"old 1\nAAAA\n"),
        REQUEST.replace(b"old 0\n", b"old 1\n" + HASH_LINE.replace(b"A=", b"B=")),
        REQUEST.replace(b"old 0\n", b"old 1\n" + HASH_LINE * 64),
        REQUEST + b"x" * MAX_REQUEST,
    ],
)
def test_a_request_in_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_request(data)


@each(
    "data",
    [b"", b"\n", VECTOR["answer"].encode()[:-1], b"x\n", b"\xff\n", "— w AAAA\n".encode(), b" " * MAX_ANSWER * 2],
)
def test_an_answer_in_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_answer(data)


@each("data", [b"", b"1", b"01\n", b"-1\n", b"1\n\n", b"\xff\n", b"9223372036854775808\n"])
def test_a_size_in_any_other_form_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_size(data)


@st.composite
def inputs(draw: st.DrawFn) -> bytes:
    """One of the documents with a slice replaced by nothing, by another one of it, or by anything."""
    document: bytes = draw(st.sampled_from([REQUEST, format_request(PROOF), VECTOR["answer"].encode(), POLICY, b"1\n"]))
    document = draw(st.sampled_from([document, format_subtree(SUBTREE), format_cosigned(TIME, TEXT)]))
    start = draw(st.integers(0, len(document)))
    end = draw(st.integers(start, min(len(document), start + 40)))
    words = st.sampled_from(
        [b"\n", b"\n\n", b"\r", b"\0", b" ", b"\t", b"#", b"quorum g\n", b"9" * 30, b"\xff", b"all"]
    )
    put: bytes = draw(st.just(b"") | words | st.binary(max_size=4))
    return document[:start] + put + document[end:]


READERS: list[tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = [
    (parse_request, format_request),
    (parse_answer, format_answer),
    (parse_size, format_size),
    (parse_subtree, format_subtree),
    (parse_cosigned, lambda found: format_cosigned(*found)),
]


def accepted(read: Callable[[bytes], Any], data: bytes) -> Any:
    """What comes out; None if it is refused, in one line."""
    try:
        return read(data)
    except EvidenceError as error:
        why = str(error)
    assert "\n" not in why
    return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(inputs() | st.binary(max_size=200))
def test_whatever_comes_is_refused_as_evidence_or_has_one_written_form(data: bytes) -> None:
    for read, write in READERS:
        found = accepted(read, data)
        assert found is None or write(found) == data
    policy = accepted(parse_policy, data)
    assert policy is None or parse_policy(format_policy(policy)) == policy
