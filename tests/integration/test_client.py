"""The Python client against the API on a real port."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.bundle_check import verify_bundle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from eventlog_client import (
    ChainInfo,
    EventLog,
    KeyNeededError,
    LogMisbehavedError,
    NewEvent,
    RefusedError,
    UnreachableError,
)
from local.machine import HOST
from local.server import build_app
from tests.support.anchoring import KEY, put_anchor
from tests.support.callers import BY_IAM
from tests.support.ports import own_port
from tests.support.serving import served

ORIGIN = "localhost/eventlog"
VKEY = format_vkey(KEY.verifier(ORIGIN))
TIME = "2026-11-23T12:34:56.789Z"


@pytest.fixture
def url(mongo_uri: str, database: str) -> Iterator[str]:
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    with served(app) as url:
        yield url
    app.state.connection.close()


@pytest.fixture
def log(url: str) -> Iterator[EventLog]:
    with EventLog(url, key=VKEY, retries=0) as log:
        yield log


def test_an_event_comes_back_as_it_was_sent(log: EventLog) -> None:
    receipt = log.append("t", "s", {"big": 1e16, "text": "\u00e4\u2028"}, timestamp=TIME, event_id="e", chain="c")
    event = log.get("e", "c")
    assert (event.seq, event.hash, event.entry.payload) == (
        0,
        receipt.hash,
        '{"big":10000000000000000,"text":"ä\u2028"}',
    )


def test_an_append_that_is_sent_again_is_the_same_event(log: EventLog) -> None:
    receipts = [log.append("t", "s", {}, timestamp=TIME, event_id="e") for _ in range(2)]
    assert receipts[0] == receipts[1]


def test_an_event_with_an_id_and_no_time_is_the_same_one_whenever_it_is_sent(url: str, log: EventLog) -> None:
    # Another client each time, as a program that is started again: what one client remembers plays no part.
    first = log.append("t", "s", {"n": 1}, event_id="e")
    timed = log.append("t", "s", {}, event_id="timed", timestamp=TIME)
    with EventLog(url, retries=0) as later:
        assert later.append("t", "s", {"n": 1}, event_id="e") == first
        assert later.append("t", "s", {"n": 1}, event_id="e", chain="other").chain == "other"
        events = [
            NewEvent("t", "s", {"n": 1}, event_id="e"),
            NewEvent("t", "s", {}),
            NewEvent("t", "s", {}, TIME, "timed"),
        ]
        receipts = later.append_batch(events)
        assert (receipts[0], receipts[1].seq, receipts[2]) == (first, 2, timed)
        assert later.append_batch([events[0], NewEvent("t", "s", {}, event_id="timed")]) == [first, timed]
        for conflict in (
            lambda: later.append("u", "s", {"n": 1}, event_id="e"),
            lambda: later.append("t", "s", {"n": 1}, event_id="e", timestamp=TIME),
            lambda: later.append_batch([NewEvent("t", "s", {}), NewEvent("t", "s", {"n": 2}, event_id="e")]),
            lambda: later.append_batch([events[0], NewEvent("u", "s", {}, TIME, "timed")]),
        ):
            with pytest.raises(RefusedError, match="409"):
                conflict()
        assert later.chain().size == 3


def test_a_batch_keeps_its_order_and_takes_events_in_both_forms(log: EventLog) -> None:
    own = {"event_type": "t", "timestamp": TIME, "source_id": "s", "payload": {}, "event_id": "own"}
    receipts = log.append_batch([NewEvent("t", "s", {}), own])
    assert [receipt.seq for receipt in receipts] == [0, 1]
    assert log.append_batch([own, NewEvent("t", "s", {})])[0] == receipts[1]


def test_a_refusal_carries_the_problem(log: EventLog) -> None:
    with pytest.raises(RefusedError) as caught:
        log.append("", "s", {})
    assert (caught.value.status, [problem.pointer for problem in caught.value.errors]) == (422, ["/event_type"])


def test_queries_go_over_all_pages_or_to_their_limit(log: EventLog) -> None:
    for start in range(0, 1200, 400):
        log.append_batch([NewEvent("t" if n % 2 else "u", "s", {"n": n}) for n in range(start, start + 400)])
    assert [event.seq for event in log.events_by_seq("main", 0)] == list(range(1200))
    assert len(list(log.events(event_type="t"))) == 600
    assert len(list(log.events(limit=1050))) == 1050
    assert [event.seq for event in log.events_by_seq("main", 5, 8)] == [5, 6, 7]


def test_chains_are_listed(log: EventLog) -> None:
    for chain in ("b", "a"):
        log.append("t", "s", {}, chain=chain)
    found = [chain for chain in log.chains() if isinstance(chain, ChainInfo)]
    assert [(chain.chain, chain.size, chain.origin) for chain in found] == [("a", 1, ORIGIN), ("b", 1, ORIGIN)]


def test_a_receipt_is_exchanged_for_a_proof(log: EventLog, store: MongoStore) -> None:
    receipt = log.append_batch([NewEvent("t", "s", {}) for _ in range(5)])[2]
    with pytest.raises(RefusedError, match="No checkpoint covers event"):
        log.prove(receipt)
    put_anchor(store)
    proof = log.prove(receipt)
    assert (proof.leaf_index, proof.tree_size) == (2, 5)
    assert log.prove(log.get(receipt.event_id)).root == proof.root
    assert log.proof(receipt.event_id, size=4).tree_size == 4


def test_waiting_for_a_proof_ends_when_a_checkpoint_covers_it(url: str, store: MongoStore) -> None:
    def sign(_: float) -> None:
        put_anchor(store)

    with EventLog(url, key=VKEY, sleep=sign) as log:
        assert log.prove(log.append("t", "s", {}), wait=60).tree_size == 1


def test_nothing_is_proven_without_a_pinned_key(url: str) -> None:
    with EventLog(url) as log, pytest.raises(KeyNeededError, match="its name ends in /main"):
        log.prove(log.append("t", "s", {}))


def test_a_checkpoint_is_verified_if_a_key_is_pinned(url: str, log: EventLog, store: MongoStore) -> None:
    log.append("t", "s", {})
    put_anchor(store)
    assert log.checkpoint().verified
    assert log.checkpoint(size=1).checkpoint.size == 1
    with EventLog(url) as unpinned:
        assert not unpinned.checkpoint().verified
    with EventLog(url, key=format_vkey(KEY.verifier("example.com/log"))) as other, pytest.raises(LogMisbehavedError):
        other.checkpoint()


def test_consistency_is_proven(log: EventLog) -> None:
    log.append_batch([NewEvent("t", "s", {}) for _ in range(7)])
    proof = log.consistency(3, 7)
    assert proof.second_root == log.chain().root


def test_an_export_verifies_without_the_log(log: EventLog, store: MongoStore) -> None:
    log.append_batch([NewEvent("t", "s", {"n": n}) for n in range(9)])
    put_anchor(store)
    counted: list[int] = []
    file = io.BytesIO()
    assert log.export(file, from_seq=2, to_seq=6, advance=counted.append) == 1
    report = verify_bundle(file.getvalue().splitlines(keepends=True), [KEY.verifier(ORIGIN)])
    assert (report.events, report.parts[0].complete, sum(counted)) == (4, (2, 6), 4)


def test_an_export_goes_on_part_after_part(
    mongo_uri: str, database: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.http.answers.BODY_BYTES", 24_000)
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))

    async def behind_lambda(scope: Any, receive: Any, send: Any) -> None:
        is_export = scope["type"] == "http" and scope["path"].endswith("/export")
        await app(scope | {"aws.event": BY_IAM} if is_export else scope, receive, send)

    file = io.BytesIO()
    with served(behind_lambda) as url, EventLog(url) as log:
        log.append_batch([NewEvent("t", "s", {"n": n}) for n in range(9)])
        put_anchor(store)
        parts = log.export(file, start_time="2020-01-01T00:00:00Z")
    app.state.connection.close()
    report = verify_bundle(file.getvalue().splitlines(keepends=True), [KEY.verifier(ORIGIN)])
    assert parts == len(report.parts) > 1
    assert report.events == 9


def test_an_audit_is_awaited(log: EventLog) -> None:
    log.append("t", "s", {})
    report = log.audit(mode="full")
    assert (report.status, report.events_checked, report.findings) == ("intact", 1, [])


def test_an_edited_event_is_not_shown_as_if_nothing_was(
    log: EventLog, client: MongoClient[dict[str, Any]], database: str
) -> None:
    log.append("t", "s", {"n": 1})
    client[database].events.update_many({}, {"$set": {"payload": '{"n":2}'}})
    with pytest.raises(LogMisbehavedError, match="payload_hash is not the hash of salt and payload"):
        list(log.events())


def test_a_log_that_is_away_is_told() -> None:
    with EventLog(f"http://{HOST}:{own_port()}", retries=0) as log, pytest.raises(UnreachableError):
        log.append("t", "s", {})


def test_a_key_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(EvidenceError):
        EventLog("http://log", key="nonsense")
