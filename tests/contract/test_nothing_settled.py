"""A chain of which nothing is settled is read without the indexes of events.

They may be missing: an operator has sharded ``events`` before anything made its indexes, and MongoDB takes a query that
names one that is not there for an error as soon as there is a collection.
"""

from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.bundle import TimeRange
from eventlog.formats.name_filter import NameFilter
from eventlog.store.interface import Query
from eventlog.store.interface.counts import Buckets
from eventlog.store.mongo.counts import EventCounter
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft


@pytest.mark.new_database
def test_what_is_pending_is_read_where_events_has_no_index_yet(
    client: MongoClient[dict[str, Any]], database: str, store: MongoStore
) -> None:
    client[database].create_collection("events")
    operations_of(store).create("main", "example.com/log")
    for pending in range(2):
        for query in (
            Query(chain="main"),
            Query(chain="main", event_types=NameFilter.of(["user.login"])),
            Query(chain="main", sort="seq"),
        ):
            assert len(store.page(query).events) == pending
        for by in (None, "source_id"):
            buckets = Buckets(chain="main", start=0, end=2 * 10**12, width=10**10, by=by)
            assert EventCounter(store).count(buckets, 5).all.total() == pending
        with MongoEvidenceReader(store).view("main", None) as (view, _):
            assert view is not None
            found = view.events_in(TimeRange(0, None), 0, view.size)
            assert sum(map(len, found)) == pending
        assert operations_of(store).push("main", [draft().entry], None) is not None
