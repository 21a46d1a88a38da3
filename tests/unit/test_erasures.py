"""What is erased by order is no finding, what is gone without one is; by one process, by workers, by segments.

Without a database: the rows of a chain in a list.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from bson import Int64

from eventlog.audit import scan
from eventlog.audit.report import AuditReport, new_report
from eventlog.audit.run import AnchorWalk, AuditRun
from eventlog.audit.run_documents import encode_run, read_run
from eventlog.audit.scan import Pass
from eventlog.audit.segment_worker import decode_answer, encode_answer
from eventlog.formats.governance import Erasure
from eventlog.stored import codec
from eventlog.verify.fast_path import Segment, verify_segment
from eventlog.verify.verifier import VerifierState
from tests.support.anchoring import Key
from tests.support.each import each
from tests.support.erased import GOVERNANCE, TIME, Document, GrowingChain, blank, erasure, hold, release
from tests.unit.test_segments import NOW, ORIGIN, SEGMENT, ListedMarks, MemoryRows, segments
from tests.unit.test_verify import GENESIS

SIZE = 40


def logged() -> GrowingChain:
    """40 events: orders at 20 (3 and 9), 30 (12) and 36 (25, not carried out yet), a hold of 14 and its release."""
    chain = GrowingChain(GENESIS)
    while len(chain.events) < SIZE:
        match len(chain.events):
            case 10:
                chain.order(HELD)
            case 17:
                chain.order(release(HELD))
            case 18:
                chain.order(hold((14, 16), until=TIME, number=7))  # which has run out since
            case 20:
                chain.erase(3, 9)
            case 30:
                chain.erase(12, 14, number=2)
            case 36:
                chain.erase(25, number=3)
            case number:
                chain.add(n=number)
    return chain


HELD = hold((14, 15))
CHAIN = logged()
ERASED = (3, 9, 12, 14)
HONEST = CHAIN.documents
for _seq in ERASED:
    blank(HONEST[_seq])


@pytest.fixture(autouse=True, scope="module")
def short_steps() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "STEP", SEGMENT)
        yield


@dataclass
class Rows(MemoryRows):
    """Rows that are counted by type, too."""

    rows: list[Document] = field(default_factory=lambda: deepcopy(HONEST))
    asked: int = 0

    def of_types(self, _: str, types: list[str], start: int, after: object) -> list[bytes]:
        assert after is None
        self.asked += 1
        return [codec.encode(row) for row in self.rows if row["event_type"] in types and row["seq"] >= start]


class Pool:
    """Workers that verify a segment as their processes do."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.answered = 0

    def segment(self, start: int) -> Segment | None:
        found = verify_segment("main", start, start + SEGMENT, self._rows.scan("", start, start + SEGMENT))
        self.answered += found is not None
        return decode_answer(encode_answer(found))


def new_run(size: int, trusts_since: int | None = None, from_seq: int = 0) -> AuditRun:
    anchored = replace(new_report("main", "full", NOW), to_seq=size, from_seq=from_seq, anchored_size=SIZE)
    return AuditRun(
        report=anchored,
        lease=NOW,
        walk=AnchorWalk(),
        known=None,
        read_at=None,
        origin=ORIGIN,
        size=size,
        tail=[],
        unreached=None,
        target=None,
        position=from_seq,
        state=VerifierState(0, [GENESIS]),
        trusts_since=trusts_since,
    )


def audit(
    rows: Rows, run: AuditRun | None = None, pool: Pool | None = None, *, key: Key = GOVERNANCE, now: int = NOW
) -> AuditReport:
    run = run or new_run(len(rows.rows))

    def go_on() -> Pass:
        return Pass(
            cast("Any", rows), run, ListedMarks(run, []), pool, segments(rows, now=now), governance=[key.public_key]
        )

    way = go_on()
    while not way.step():
        way = go_on()  # another process goes on with it
    way.finish()
    return run.report


def found(report: AuditReport) -> list[tuple[str, int | None]]:
    return sorted((finding.kind, finding.seq) for finding in report.findings)


def rehashed(rows: Rows, when: int = NOW - 100) -> Rows:
    """Have all segments signed, as they are now."""
    audit(rows, new_run(SIZE, trusts_since=when), now=when)
    return rows


def test_what_was_erased_by_order_is_counted_and_no_finding() -> None:
    rows = Rows()
    report = audit(rows)
    assert (found(report), report.erased, report.erasures_pending) == ([], 4, 1)
    pool = Pool(rows)
    shared = audit(rows, pool=pool)
    assert (found(shared), shared.erased, shared.erasures_pending) == ([], 4, 1)
    assert pool.answered == SIZE // SEGMENT, "segments with erased events are verified by workers"
    run = new_run(SIZE, trusts_since=NOW - 100)
    rehashed(rows).scanned.clear()
    rolled = audit(rows, run)
    assert (found(rolled), rolled.erased, rolled.erasures_pending) == ([], 4, 1)
    assert (rolled.earlier_events, rows.scanned) == (SIZE, []), "nothing was read but last events"


def test_a_chain_without_erasures_is_asked_for_no_orders() -> None:
    chain = GrowingChain(GENESIS)
    for number in range(SIZE):
        chain.add(n=number)
    rows = Rows(chain.documents)
    report = audit(rows)
    assert (found(report), report.erased, rows.asked) == ([], 0, 0)


def test_an_event_that_is_erased_after_its_segment_was_signed_is_no_finding() -> None:
    rows = rehashed(Rows(CHAIN.documents))
    for seq in ERASED:
        blank(rows.rows[seq])
    report = audit(rows, new_run(SIZE, trusts_since=NOW - 100))
    assert (found(report), report.earlier_events) == ([], SIZE)


def test_an_order_that_came_after_the_audit_had_begun_counts() -> None:
    """An audit that began before the order reads the event after it was erased."""
    report = audit(Rows(), new_run(16))
    assert (found(report), report.erased) == ([], 4)


def test_orders_are_read_again_before_anybody_is_accused() -> None:
    """What was ordered, anchored and erased after an audit has read the orders."""

    class Meanwhile(Rows):
        def of_types(self, name: str, types: list[str], start: int, after: object) -> list[bytes]:
            found = super().of_types(name, types, start, after)
            return [raw for raw in found if self.asked > 2 or codec.decode(raw)["seq"] < 30]

    rows = Meanwhile()
    report = audit(rows, pool=Pool(rows))
    assert (found(report), report.erased) == ([], 4)
    assert rows.asked > 2


def test_an_audit_of_what_is_new_counts_what_is_new() -> None:
    rows, run = Rows(), new_run(SIZE, from_seq=10)
    verified = new_run(10)
    audit(rows, verified)
    run.state = verified.state
    report = audit(rows, run)
    assert (found(report), report.erased, report.erasures_pending) == ([], 2, 1)


def test_how_many_orders_a_running_audit_has_come_across_is_stored() -> None:
    run = new_run(SIZE)
    assert b"ordered" not in encode_run(run)
    run.ordered = 2
    run.report = replace(run.report, erased=3)
    read = read_run(encode_run(run))
    assert (read.ordered, read.report.erased) == (2, 3)


def set_fields(seq: int, **fields: Any) -> Callable[[list[Document]], None]:
    return lambda rows: rows[seq].update(fields)


def blanked(*seqs: int) -> Callable[[list[Document]], None]:
    def edit(rows: list[Document]) -> None:
        for seq in seqs:
            blank(rows[seq])

    return edit


def unordered(*seqs: int) -> list[tuple[str, int | None]]:
    return [("payload_missing", seq) for seq in seqs]


EDITS: dict[str, tuple[Callable[[list[Document]], Any], list[tuple[str, int | None]]]] = {
    "erased without an order": (blanked(5), unordered(5)),
    "the last of a segment": (blanked(7), unordered(7)),
    "the order erased": (blanked(20), [("erasure_invalid", 20), *unordered(3, 9, 20)]),
    "the payload alone": (set_fields(5, payload=""), [("unexpected", 5)]),
    "the salt alone": (set_fields(5, salt=b""), [("unexpected", 5)]),
    "its stored hash too": (set_fields(3, payload_hash=bytes(32)), [("content_mismatch", 3)]),
    "its stored hash emptied": (set_fields(3, payload_hash=b""), [("unexpected", 3)]),
    "a payload put back": (set_fields(3, payload="{}"), [("unexpected", 3)]),
    "keys that are left": (set_fields(3, keys=["user:u"], keys_version=Int64(1)), [("index_mismatch", 3)]),
    "empty keys": (set_fields(3, keys=[], keys_version=Int64(1)), []),
    "empty keys of no version": (set_fields(3, keys=[], keys_version=Int64(0)), [("unexpected", 3)]),
}


@each("name", EDITS)
def test_what_was_erased_otherwise_is_found(name: str) -> None:
    edit, expected = EDITS[name]
    rows = Rows()
    edit(rows.rows)
    shown = [finding for finding in found(audit(rows)) if finding[0] != "link_mismatch"]
    assert shown == expected
    assert found(audit(rows)) == found(audit(rows, pool=Pool(rows)))
    assert found(audit(rows)) == found(audit(rows, new_run(SIZE, trusts_since=NOW)))


def ordered(order: Any, signer: Key = GOVERNANCE, at: int = 20) -> Rows:
    """Events 3 and 9 are erased, and this stands at 20."""
    chain = GrowingChain(GENESIS)
    for number in range(at):
        chain.add(n=number)
    if order is not None:
        chain.order(order(chain), signer)
    while len(chain.events) < 24:
        chain.add()
    rows = Rows(chain.documents)
    for seq in (3, 9):
        blank(rows.rows[seq])
    return rows


def pair(chain: GrowingChain, seq: int) -> tuple[int, bytes]:
    return seq, chain.events[seq].hash


BOTH: Callable[[GrowingChain], Erasure] = lambda chain: erasure(pair(chain, 3), pair(chain, 9))  # noqa: E731
ORDERS: dict[str, tuple[Rows, list[tuple[str, int | None]]]] = {
    "an order for both": (ordered(BOTH), []),
    "one named and two erased": (ordered(lambda chain: erasure(pair(chain, 3))), unordered(9)),
    "an order by another key": (ordered(BOTH, Key(8)), [("erasure_invalid", 20), *unordered(3, 9)]),
    "an order of another log": (
        ordered(lambda chain: erasure(pair(chain, 3), pair(chain, 9), origin="example.com/other")),
        [("erasure_invalid", 20), *unordered(3, 9)],
    ),
    "an order for another chain": (
        ordered(lambda chain: erasure(pair(chain, 3), pair(chain, 9), chain="other")),
        [("erasure_invalid", 20), *unordered(3, 9)],
    ),
    "an order for another event at this place": (
        ordered(lambda chain: erasure((3, bytes(32)), pair(chain, 9))),
        unordered(3),
    ),
    "an order before what it names": (
        ordered(lambda chain: erasure(pair(chain, 3), (9, bytes(32))), at=5),
        unordered(9),
    ),
    "no order": (ordered(None), unordered(3, 9)),
    "a hold in the place of an order": (ordered(lambda _: hold(None)), unordered(3, 9)),
}


@each("name", ORDERS)
def test_an_order_counts_if_it_names_the_event_and_is_signed_for_this_chain(name: str) -> None:
    rows, expected = ORDERS[name]
    report = audit(rows)
    assert found(report) == expected
    assert report.erased == 2 - sum(kind == "payload_missing" for kind, _ in expected)


def test_without_a_governance_key_no_order_counts() -> None:
    rows = Rows()
    kinds = {kind for kind, _ in found(audit(rows, key=Key(3)))}
    assert kinds == {"erasure_invalid", "payload_missing"}


def test_what_was_erased_though_a_hold_kept_it_is_found() -> None:
    chain = GrowingChain(GENESIS)
    for number in range(8):
        chain.add(n=number)
    chain.order(hold((3, 4)))
    chain.erase(3, 4)
    chain.order(hold(None, number=2))  # logged after the order: it may have been carried out before
    rows = Rows(chain.documents)
    for seq in (3, 4):
        blank(rows.rows[seq])
    assert found(audit(rows)) == [("erasure_invalid", 3)]
    chain.order(release(hold((3, 4))))
    released = Rows([*rows.rows, chain.documents[-1]])
    assert found(audit(released)) == []


def test_an_order_that_stands_beside_the_chain_does_not_count() -> None:
    """Whoever holds the governance key puts it where only a search by type finds it."""

    class Beside(Rows):
        def of_types(self, name: str, types: list[str], start: int, after: object) -> list[bytes]:
            other = GrowingChain(GENESIS)
            for number in range(20):
                other.add(n=number)
            other.add(other="history")
            stray = other.erase(5)
            return [
                *super().of_types(name, types, start, after),
                *([codec.encode_event(stray)] if types[1:] == [] else []),
            ]

    rows = Beside()
    blank(rows.rows[5])
    assert found(audit(rows)) == [("erasure_invalid", 21)]
