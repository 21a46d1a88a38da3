"""Events by time in order of seq: those of the window and no other, dense or scattered, settled or pending."""

import pytest

from eventlog.formats.bundle import TimeRange
from eventlog.store.mongo.evidence import MongoEvidenceReader, Span
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft
from tools.benchmarks.plans import Explainer

COUNT, SETTLED = 3000, 2900
OUTLIERS = (7, 1500, 2899, 2950)
"""Events whose clocks were wrong by a month."""
MONTH = 2_600_000_000


@pytest.fixture
def filled(store: MongoStore) -> MongoStore:
    """One event a second; the outliers are a month before the others."""
    drafts = [draft(f"e{n}", timestamp=MONTH + n * 1000 if n not in OUTLIERS else n) for n in range(COUNT)]
    for first in range(0, SETTLED, 500):
        store.append("main", drafts[first : min(first + 500, SETTLED)])
    store.settle("main")
    assert operations_of(store).push("main", [found.entry for found in drafts[SETTLED:]], None) is not None
    return store


def read(store: MongoStore, window: TimeRange, size: int = COUNT, low: int = 0) -> tuple[Span, list[int]]:
    with MongoEvidenceReader(store).view("main", None) as (view, _):
        assert view is not None
        span = view.span(window, size)
        found = [event.seq for batch in view.events_in(window, low, size) for event in batch]
    return span, found


def inside(start: int, end: int) -> list[int]:
    """The seqs of the events from one second to another, by their clocks."""
    return [n for n in range(start, end) if n not in OUTLIERS]


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 40), (1400, 1600), (2890, 2960), (2901, 2960), (0, 3000)])
def test_a_dense_window_is_scanned(filled: MongoStore, start: int, end: int) -> None:
    span, found = read(filled, TimeRange(MONTH + start * 1000, MONTH + end * 1000))
    assert found == inside(start, end)
    assert span == Span(found[0], found[-1] + 1)


def test_scattered_events_are_found_in_order(filled: MongoStore) -> None:
    assert read(filled, TimeRange(None, MONTH)) == (Span(7, 2951, scattered=True), [7, 1500, 2899, 2950])
    assert read(filled, TimeRange(None, MONTH), size=2950) == (Span(7, 2900, scattered=True), [7, 1500, 2899])
    assert read(filled, TimeRange(None, MONTH), low=8)[1] == [1500, 2899, 2950]


def test_a_window_without_events_is_empty(filled: MongoStore) -> None:
    assert read(filled, TimeRange(MONTH - 1000, MONTH)) == (Span(0, 0), [])
    assert read(filled, TimeRange(MONTH + 5, MONTH)) == (Span(0, 0), [])


@pytest.mark.usefixtures("filled")
@pytest.mark.replica_set
def test_scattered_events_are_read_without_those_between(mongo_uri: str, database: str) -> None:
    explainer = Explainer(mongo_uri, database)
    finds = explainer.finds_of(lambda store: read(store, TimeRange(None, MONTH)))
    documents = explainer.examined([find for find in finds if "find" in find]).documents
    explainer.close()
    assert documents == 3
