"""The keys of stored events: derived anew by the verifier, its fast path, its segments and for pending entries."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bson import Int64

from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import ChainState, Keys, make_entry
from eventlog.formats.search_keys import Rules, SearchFields, parse_fields
from eventlog.stored import codec
from eventlog.stored.sequences import SequenceImage, encode_sequence
from eventlog.verify.fast_path import advance, verify_segment
from eventlog.verify.findings import Finding
from eventlog.verify.sequence import check_sequence, check_strays
from eventlog.verify.verifier import ChainVerifier, VerifierState
from tests.support.each import each
from tests.unit.test_verify import GENESIS

RULES = {
    1: SearchFields(parse_fields("user=/user").fields, 1),
    2: SearchFields(parse_fields("user=/user; ip=/ip,/n").fields, 2),
}
PAYLOAD = {"user": "u", "ip": "10.0.0.1", "n": 0.5}
Document = dict[str, Any]


def entry(number: int, version: int | None) -> Any:
    payload = canonicalize(PAYLOAD | {"number": number}).decode()
    made = make_entry(
        chain="main",
        event_id=f"e{number}",
        event_type="t",
        source_id="s",
        timestamp=1,
        received_at=2,
        principal="p",
        payload=payload,
        salt=bytes(16),
    )
    return made._replace(keys=None if version is None else RULES[version].keys_of(payload))


HONEST = list(ChainState(0, GENESIS).extend([entry(0, None), entry(1, 1), entry(2, 2), entry(3, None), entry(4, 2)]))
ROWS = [codec.encode_event(event) for event in HONEST]


def verify(rows: list[bytes], rules: Rules = RULES.get) -> list[tuple[str, int | None]]:
    """What the verifier finds, by its fast path and without it, which must be the same."""
    quick: list[Finding] = []
    ChainVerifier(VerifierState(0, [GENESIS]), quick.append, rules=rules).documents("main", iter(rows))
    slow: list[Finding] = []
    verifier = ChainVerifier(VerifierState(0, [GENESIS]), slow.append, rules=rules)
    for row in rows:
        verifier.document(row)
    assert quick == slow
    return [(finding.kind, finding.seq) for finding in quick]


def test_an_honest_chain_has_events_of_several_versions_and_of_none_and_takes_the_fast_path() -> None:
    assert verify(ROWS) == []
    state = ChainState(0, GENESIS)
    assert advance("main", state, ROWS, rules=RULES.get) is None
    assert verify_segment("main", 0, 5, iter(ROWS), RULES.get) is not None
    assert verify_segment("main", 0, 5, iter(ROWS)) is None  # who knows no rule leaves it to who does
    assert [codec.decode_event(row) for row in ROWS] == HONEST


EDITS: dict[str, tuple[Callable[[Document], Document], list[str]]] = {
    "a key edited away": (lambda row: row | {"keys": row["keys"][:-1]}, ["index_mismatch"]),
    "a key altered": (lambda row: row | {"keys": [*row["keys"][:-1], "user:other"]}, ["index_mismatch"]),
    "a key more": (lambda row: row | {"keys": [*row["keys"], "z:1"]}, ["index_mismatch"]),
    "a key twice": (lambda row: row | {"keys": [*row["keys"], row["keys"][-1]]}, ["index_mismatch"]),
    "keys in another order": (lambda row: row | {"keys": row["keys"][::-1]}, ["index_mismatch"]),
    "a version that nobody declared": (lambda row: row | {"keys_version": Int64(3)}, ["index_mismatch"]),
    "another version": (lambda row: row | {"keys_version": Int64(1)}, ["index_mismatch"]),
    "another version with its keys": (
        lambda row: row | {"keys_version": Int64(1), "keys": ["user:u"]},
        [],  # a search says that not all is indexed by the newest version
    ),
    "no keys at all": (lambda row: {n: v for n, v in row.items() if n not in {"keys", "keys_version"}}, []),
    "keys without a version": (lambda row: {n: v for n, v in row.items() if n != "keys_version"}, ["unexpected"]),
    "a version without keys": (lambda row: {n: v for n, v in row.items() if n != "keys"}, ["unexpected"]),
    "a version of another type": (lambda row: row | {"keys_version": 2}, ["unexpected"]),
    "a version below 1": (lambda row: row | {"keys_version": Int64(0)}, ["unexpected"]),
    "a key that is no text": (lambda row: row | {"keys": [1]}, ["unexpected"]),
    "keys that are no list": (lambda row: row | {"keys": "user:u"}, ["unexpected"]),
    "keys in another place": (lambda row: {"keys": row["keys"], **row}, ["unexpected"]),
    "a field more": (lambda row: row | {"more": 1}, ["unexpected"]),
}


@each("name", EDITS)
def test_edited_keys_are_found_at_their_event_and_its_chain_is_gone_on_with(name: str) -> None:
    edit, expected = EDITS[name]
    rows = [*ROWS[:2], codec.encode(edit(codec.decode(ROWS[2]))), *ROWS[3:]]
    found = [(kind, seq) for kind, seq in verify(rows) if kind != "link_mismatch"]
    assert found == [(kind, 2) for kind in expected]


def test_an_edited_payload_is_no_second_finding_for_its_keys() -> None:
    edited = codec.encode(codec.decode(ROWS[2]) | {"payload": '{"user":"other"}'})
    assert verify([*ROWS[:2], edited, *ROWS[3:]]) == [("payload_mismatch", 2)]


def test_pending_keys_are_checked_and_a_row_that_was_indexed_anew_is_no_stray() -> None:
    pending = [event.entry for event in HONEST]
    size = sum(len(codec.encode_entry(each)) for each in pending)
    image = SequenceImage(b"", "main", "example.com/log", 5, ChainState(0, GENESIS), pending, size)
    findings: list[Finding] = []
    read = check_sequence(encode_sequence(image), None, findings.append, rules=RULES.get)
    assert not findings
    forged = [*pending[:2], pending[2]._replace(keys=Keys(2, ("ip:1", "user:u"))), *pending[3:]]
    check_sequence(encode_sequence(replace(image, pending=forged)), None, findings.append, rules=RULES.get)
    assert ("index_mismatch", 2) in [(finding.kind, finding.seq) for finding in findings]
    assert "10.0.0.1" not in str(findings)  # what is in a payload is told to nobody
    findings.clear()
    anew = HONEST[0]._replace(entry=HONEST[0].entry._replace(keys=RULES[2].keys_of(pending[0].payload)))
    check_strays([codec.encode_event(anew)], read, 0, findings.append)
    assert not findings
