"""An audit that takes over results of segments reports what one process alone reports, whatever was edited, and when.

Without a database: the rows of a chain in a list, which each test edits before its segments are re-hashed, or after.
"""

import random
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from bson import Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.audit import scan
from eventlog.audit.marks import Mark, Marks
from eventlog.audit.report import AuditReport, new_report
from eventlog.audit.run import AnchorWalk, AuditRun
from eventlog.audit.scan import Pass
from eventlog.audit.segments import Segments
from eventlog.formats import merkle
from eventlog.formats.proof import Node
from eventlog.formats.search_keys import no_rules
from eventlog.store.errors import CorruptionError
from eventlog.stored import codec
from eventlog.stored.errors import NotOursError
from eventlog.verify.verifier import VerifierState
from tests.support.anchoring import Key
from tests.support.edits import EDITS, Document
from tests.unit.test_verify import GENESIS, encoded_chain

SIZE, SEGMENT = 43, 8
HONEST = encoded_chain(*[{"payload": {"n": number}} for number in range(SIZE)])
ROOTS: dict[int, bytes] = {}
_frontier: list[bytes] = []
for _seq, _document in enumerate(HONEST):
    merkle.append_leaf(_frontier, _seq, _document["hash"])
    ROOTS[_seq + 1] = merkle.root(_frontier)
ORIGIN, KEY, OTHER = "example.com/log", Key(), Key(2)
NOW = 1_800_000_000_000


@pytest.fixture(autouse=True, scope="module")
def short_steps() -> Iterator[None]:
    """Steps of half a segment, as borders of steps are where an audit looks for what is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "STEP", SEGMENT // 2)
        yield


@dataclass
class MemoryRows:
    """Rows of one chain, and results of its segments, as an audit reads them."""

    rows: list[Document] = field(default_factory=lambda: deepcopy(HONEST))
    kept: dict[int, bytes] = field(default_factory=dict)
    scanned: list[tuple[int, int]] = field(default_factory=list)

    rules = staticmethod(no_rules)

    @property
    def segments(self) -> "MemoryRows":
        return self

    @property
    def tree(self) -> "MemoryRows":
        return self

    def scan(self, _: str, start: int, end: int, limit: int = 0, **__: object) -> Iterator[bytes]:
        if end - start > 1 and not limit:
            self.scanned.append((start, end))
        found = [row for row in self.rows if start <= row["seq"] < end]
        yield from map(codec.encode, sorted(found, key=lambda row: int(row["seq"]))[: limit or None])

    def renew(self, _: str) -> None: ...

    @contextmanager
    def view(self, _: str) -> Iterator["MemoryRows"]:
        yield self

    def nodes(self, needed: Collection[Node]) -> dict[Node, bytes]:
        by_seq = {int(row["seq"]): row for row in self.rows}
        try:
            found = {node: [by_seq[node.last]["hash"], *by_seq[node.last]["nodes"]][node.level] for node in needed}
        except (KeyError, IndexError, TypeError) as error:
            raise CorruptionError("a Merkle node is missing or damaged") from error
        if not all(isinstance(node, bytes) and len(node) == 32 for node in found.values()):
            raise CorruptionError("a Merkle node is missing or damaged")
        return found

    def note(self, _: str, start: int) -> bytes | None:
        return self.kept.get(start)

    def notes(self, _: str) -> Iterator[bytes]:
        yield from self.list_notes()

    def list_notes(self) -> list[bytes]:
        return [note for _, note in sorted(self.kept.items())]

    def keep(self, _: str, start: int, note: bytes) -> None:
        self.kept[start] = note


class ListedMarks(Marks):
    """Marks from a list instead of from anchors."""

    def __init__(self, run: AuditRun, marks: list[Mark]) -> None:
        super().__init__(run, iter(()))
        self._listed = list(marks)

    def take(self, size: int) -> list[Mark]:
        taken = [mark for mark in self._listed if mark.size <= size]
        self._listed = [mark for mark in self._listed if mark.size > size]
        return taken


class Keys:
    """What segments ask the anchoring for."""

    def __init__(self, key: Key = KEY) -> None:
        self.signers, self.public_keys = [key], [KEY.public_key]

    @property
    def history(self) -> "Keys":
        return self


def segments(rows: MemoryRows, key: Key = KEY, now: int = NOW) -> Segments:
    return Segments(cast("Any", rows), cast("Any", Keys(key)), ORIGIN, lambda: now, SEGMENT)


def new_run(trusts_since: int | None) -> AuditRun:
    return AuditRun(
        report=replace(new_report("main", "full", NOW), to_seq=SIZE),
        lease=NOW,
        walk=AnchorWalk(),
        known=None,
        read_at=None,
        origin=ORIGIN,
        size=SIZE,
        tail=[],
        unreached=None,
        target=None,
        position=0,
        state=VerifierState(0, [GENESIS]),
        trusts_since=trusts_since,
    )


def audit(rows: MemoryRows, marks: list[Mark], trusts_since: int | None, key: Key = KEY) -> AuditRun:
    run = new_run(trusts_since)
    way = Pass(cast("Any", rows), run, ListedMarks(run, marks), None, segments(rows, key))
    while not way.step():
        pass
    return run


def said(run: AuditRun) -> tuple[AuditReport, VerifierState]:
    """What an audit says; which of several audits re-hashed an event does not matter here."""
    report = run.report
    events = report.events_checked + report.earlier_events
    bare = replace(report, audit_id="", events_checked=events, earlier_events=0, rehashed_since=None)
    return bare, run.state


def alone(rows: MemoryRows, marks: list[Mark]) -> tuple[AuditReport, VerifierState]:
    return said(audit(MemoryRows(rows.rows), marks, None))


def rehash(rows: MemoryRows, when: int = NOW) -> None:
    """Have every segment re-hashed, in any order, as several invocations do."""
    run, found = new_run(when), segments(rows, now=when)
    for start in random.Random(7).sample(list(found.starts(run)), len(found.starts(run))):
        if (note := found.make(run, start)) is not None:
            found.keep(note)


EDIT: st.SearchStrategy[Callable[[list[Document]], object]] = st.builds(
    lambda seq, edit: lambda rows: rows[min(seq, len(rows) - 1)].update(edit[1]),
    st.integers(0, SIZE - 1),
    st.sampled_from(EDITS),
) | st.builds(lambda seq: lambda rows: rows.pop(seq), st.integers(0, SIZE - 4))
MARKS = st.lists(
    st.builds(
        lambda size, forged: Mark(size, bytes(32) if forged else ROOTS[size], anchor=1),
        st.integers(1, SIZE),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=4,
).map(lambda marks: sorted(marks, key=lambda mark: mark.size))
AGES = st.sampled_from([0, NOW - 10, NOW])


@settings(max_examples=60, deadline=None)
@given(before=st.lists(EDIT, max_size=2), marks=MARKS, since=AGES)
def test_what_was_edited_before_the_segments_were_rehashed_is_reported_as_by_one_process(
    before: list[Callable[[list[Document]], object]], marks: list[Mark], since: int
) -> None:
    rows = MemoryRows()
    for edit in before:
        edit(rows.rows)
    rehash(rows)
    assert said(audit(rows, marks, since)) == alone(rows, marks)


@settings(max_examples=40, deadline=None)
@given(after=st.lists(EDIT, min_size=1, max_size=2), marks=MARKS)
def test_what_was_edited_after_it_is_found_once_its_result_is_too_old(
    after: list[Callable[[list[Document]], object]], marks: list[Mark]
) -> None:
    rows = MemoryRows()
    rehash(rows, NOW - 100)
    for edit in after:
        edit(rows.rows)
    assert said(audit(rows, marks, NOW - 99)) == alone(rows, marks)
    assert len(rows.scanned) >= SIZE // SEGMENT


def test_an_edit_of_the_last_event_of_a_segment_is_found_at_once() -> None:
    for seq in range(SEGMENT - 1, SIZE, SEGMENT):
        rows = MemoryRows()
        rehash(rows, NOW - 100)
        rows.rows[seq]["payload"] = '{"n":"forged"}'
        run = audit(rows, [], 0)
        assert [(found.kind, found.seq) for found in run.report.findings] == [("payload_mismatch", seq)]


def test_a_segment_that_counts_is_not_read_but_for_its_last_event() -> None:
    rows = MemoryRows()
    rehash(rows, NOW - 100)
    rows.scanned.clear()
    run = audit(rows, [Mark(size, root, anchor=1) for size, root in ROOTS.items()], NOW - 100)
    assert rows.scanned == [(40, SIZE)], "what is behind the last complete segment"
    assert (run.report.events_checked, run.report.earlier_events) == (3, 40)
    assert (run.report.rehashed_since, run.report.findings) == (NOW - 100, ())
    assert run.state.root == ROOTS[SIZE]


def test_what_an_audit_makes_itself_counts_as_its_own() -> None:
    rows = MemoryRows()
    run = audit(rows, [], 0)
    assert (run.report.events_checked, run.report.earlier_events, run.report.rehashed_since) == (SIZE, 0, None)
    assert sorted(rows.kept) == [0, 8, 16, 24, 32]


def test_a_last_hash_that_an_earlier_audit_saw_inside_a_segment_is_compared() -> None:
    for known, found in ((HONEST[12]["hash"], []), (bytes(32), [("rewritten", 12)])):
        rows = MemoryRows()
        rehash(rows, NOW)
        run = audit(rows, [Mark(13, hash=known)], NOW)
        assert [(finding.kind, finding.seq) for finding in run.report.findings] == found


def forgeries(rows: MemoryRows) -> Iterator[tuple[str, dict[int, bytes]]]:
    """What somebody may put in the place of results, all of it in vain."""
    genuine = dict(rows.kept)
    first, second = genuine[0], genuine[8]
    yield "swapped", genuine | {0: second, 8: first}
    yield "moved", genuine | {8: first}
    yield "edited", genuine | {8: second.replace(b"range 8 16", b"range 8 16 ")}
    yield "of another time", genuine | {8: second.replace(str(NOW - 100).encode(), str(NOW).encode())}
    yield "of another chain", genuine | {8: second.replace(b"chain main", b"chain mail")}
    yield "junk", dict.fromkeys(genuine, b"\xff junk")
    yield "nothing", {}
    rehashed = MemoryRows(rows.rows)
    forger = segments(rehashed, OTHER, NOW)
    for start in forger.starts(new_run(0)):
        note = forger.make(new_run(0), start)
        assert note is not None
        forger.keep(note)
    yield "signed by another key", rehashed.kept


def test_what_no_audit_has_signed_for_this_place_and_time_is_made_anew() -> None:
    honest = MemoryRows()
    rehash(honest, NOW - 100)
    for what, notes in forgeries(honest):
        rows = MemoryRows(deepcopy(HONEST), dict(notes))
        rows.rows[11]["payload"] = '{"n":"forged"}'
        run = audit(rows, [], NOW - 100)
        assert [(found.kind, found.seq) for found in run.report.findings] == [("payload_mismatch", 11)], what


def test_a_result_of_another_history_does_not_fit() -> None:
    other = MemoryRows(encoded_chain(*[{"payload": {"n": -number}} for number in range(SIZE)]))
    rehash(other, NOW - 1)
    rows = MemoryRows(kept=other.kept)
    run = audit(rows, [], 0)
    assert (run.report.events_checked, run.report.earlier_events, run.report.findings) == (SIZE, 0, ())
    mixed = MemoryRows([*other.rows[:40], *deepcopy(HONEST)[40:]], other.kept)
    assert said(audit(mixed, [Mark(13, ROOTS[13], anchor=1)], 0)) == alone(mixed, [Mark(13, ROOTS[13], anchor=1)])


def test_a_result_of_the_future_does_not_count_beyond_what_clocks_differ() -> None:
    for ahead, read in ((200_000, 1), (400_000, 6)):
        rows = MemoryRows()
        rehash(rows, NOW + ahead)
        rows.scanned.clear()
        audit(rows, [], NOW)
        assert len(rows.scanned) == read


def test_rows_that_are_no_events_stop_nothing() -> None:
    rows = MemoryRows()
    rows.rows[9] = {"_id": "main/x", "chain": "main", "seq": Int64(9)}
    rehash(rows)
    assert 8 not in rows.kept
    assert said(audit(rows, [], NOW)) == alone(rows, [])


def test_the_memory_rows_refuse_what_is_no_node() -> None:
    rows = MemoryRows()
    rows.rows[1]["nodes"] = None
    try:
        rows.nodes([Node(1, 0)])
    except (CorruptionError, NotOursError):
        return
    raise AssertionError
