"""Any single change to any stored field of any event is found; whatever was sent comes back and is intact.

A few examples: tests/unit/test_any_change.py has the same properties without a database, and many more. Here they show
that MongoDB keeps what was put there as it was, and that what the audit reads is all that there is.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from eventlog.audit.auditor import Auditor
from eventlog.store.interface import Query
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import open_log, operations_of
from eventlog.stored import codec
from tests.integration.test_tampering import ORIGIN, SIZE, Log
from tests.support.edits import Document
from tests.support.factories import draft
from tests.unit.test_any_change import CHANGES
from tests.unit.test_verify import FIELDS


@pytest.fixture(scope="module")
def module_log(client: MongoClient[Document]) -> Iterator[Log]:
    name = f"test_{uuid4().hex[:12]}"
    yield Log(open_log(client, name, ORIGIN))
    client.drop_database(name)


def change(log: Log, seq: int, what: str, value: Any) -> None:
    """Make the change, unless MongoDB itself refuses it."""
    document = log.get(seq)
    key = {"_id": document["_id"]}
    if what == "unset":
        log.events.update_one(key, {"$unset": {value: 1}})
    elif what == "swap":
        swap(log, document, log.get(value))
    elif what in ("delete", "_id"):
        log.events.delete_one(key)
        if what == "_id":
            with suppress(PyMongoError):
                log.events.insert_one(document | {"_id": value})
    else:
        with suppress(PyMongoError):
            log.events.update_one(key, {"$set": {what: value}})


def swap(log: Log, one: Document, other: Document) -> None:
    """Let two events change places: each gets the other's seq, links and nodes."""
    log.events.delete_many({"_id": {"$in": [one["_id"], other["_id"]]}})
    for moved, place in {one["_id"]: (one, other), other["_id"]: (other, one)}.values():
        log.events.insert_one(moved | {name: place[name] for name in ("seq", "prev_hash", "hash", "nodes")})


CHANGE = st.tuples(st.integers(0, SIZE - 1), CHANGES)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGE)
def test_any_single_change_to_any_event_is_found(module_log: Log, changed: tuple[int, tuple[str, Any]]) -> None:
    seq, (what, value) = changed
    before = stored(module_log)
    try:
        change(module_log, seq, what, value)
        if stored(module_log) != before:
            assert module_log.found()
    finally:
        module_log.events.delete_many({})
        module_log.events.insert_many([codec.decode(raw) for raw in before])
        operations_of(module_log.store).audits.delete_many({})
    assert stored(module_log) == before


def stored(log: Log) -> list[bytes]:
    return sorted(bytes(found.raw) for found in operations_of(log.store).raw_events.find())


def test_the_chain_that_all_changes_were_made_to_is_intact_again(module_log: Log) -> None:
    assert module_log.found() == []


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(FIELDS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_any_content_comes_back_byte_for_byte_and_is_intact(
    module_log: Log, batches: list[list[dict[str, Any]]]
) -> None:
    chain, store = f"c{uuid4().hex}", module_log.store
    sent = [[draft(chain=chain, **fields) for fields in batch] for batch in batches]
    placed = [one.event for batch in sent for one in store.append(chain, batch)]
    assert [event.entry for event in placed] == [one.entry for batch in sent for one in batch]
    assert store.page(Query(chain=chain, sort="seq", order="asc")).events == placed
    auditor = Auditor(store, AuditStore(store), ORIGIN)
    report = auditor.run(auditor.start(chain, "full"), 60)
    assert (report.status, report.findings, report.events_checked) == ("intact", (), len(placed))
