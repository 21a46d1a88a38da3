"""``EventLog.tail`` against a live stream: endless, in parts as behind Lambda, and from a log that lies."""

import json
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from pymongo import MongoClient

from eventlog.evidence import proofs
from eventlog.formats import merkle
from eventlog.formats.event import Event
from eventlog.formats.note import format_vkey
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from eventlog.streams import watcher
from eventlog_client import EventLog, KeyNeededError, LogMisbehavedError, NewEvent, RefusedError
from eventlog_client.answers import SignedCheckpoint
from local.server import build_app
from tests.support.anchoring import KEY, put_anchor
from tests.support.callers import BY_IAM
from tests.support.factories import draft
from tests.support.serving import Lying, served

ORIGIN = "localhost/eventlog"
VKEY = format_vkey(KEY.verifier(ORIGIN))
STREAM = "/api/v1/events/stream"
Change = Callable[[bytes], bytes]


@pytest.fixture
def app(mongo_uri: str, database: str) -> Iterator[FastAPI]:
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_STREAM_SECONDS=3.0))
    yield app
    app.state.connection.close()


@pytest.fixture
def store(app: FastAPI) -> MongoStore:
    found: MongoStore = app.state.connection.log
    return found


class InParts:
    """ASGI middleware: streams as behind Lambda."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope | {"aws.event": BY_IAM} if scope.get("path") == STREAM else scope, receive, send)


@pytest.fixture
def lying(app: FastAPI) -> Lying:
    return Lying(InParts(app))


def numbers(found: Iterator[Event], count: int) -> list[int]:
    return [event.seq for event in islice(found, count)]


def go_on(log: EventLog, found: Iterator[Event]) -> None:
    """Some events more, one by one, so that what comes between them is seen."""
    for _ in range(5):
        log.append("t", "s", {})
        next(found)


def pause(_: float) -> None:
    """Between connections: no time at all."""


def some(count: int) -> list[NewEvent]:
    return [NewEvent("t" if n % 2 else "u", "s", {"n": n}) for n in range(count)]


@pytest.mark.parametrize("wrap", [lambda app: app, InParts], ids=["endless", "in parts"])
def test_it_shows_events_as_they_come_from_now_on_or_from_a_seq_on(app: FastAPI, wrap: Callable[[Any], Any]) -> None:
    stop = threading.Event()
    with served(wrap(app)) as url, EventLog(url) as writer, EventLog(url, sleep=lambda _: None) as log:
        writer.append_batch(some(5))
        assert numbers(log.tail(from_seq=2), 3) == [2, 3, 4]

        def write() -> None:
            while not stop.wait(0.02):
                writer.append_batch(some(3))

        thread = threading.Thread(target=write)
        thread.start()
        seen = numbers(log.tail(), 30)
        stop.set()
        thread.join()
    assert seen == list(range(seen[0], seen[0] + 30))
    assert seen[0] >= 5


def test_what_came_between_two_connections_is_shown(app: FastAPI) -> None:
    with served(InParts(app)) as url, EventLog(url) as writer:
        writer.append("t", "s", {})

        def between(_: float) -> None:
            writer.append_batch(some(2))

        with EventLog(url, sleep=between) as log:
            assert numbers(log.tail(from_seq=0), 7) == list(range(7))


def test_it_shows_only_what_is_asked_for(url: str) -> None:
    with EventLog(url) as log:
        log.append_batch(some(6))
        assert numbers(log.tail(from_seq=0, event_type=["t"]), 3) == [1, 3, 5]


@pytest.mark.parametrize("start", range(9))
def test_checkpoints_are_held_against_the_events(url: str, store: MongoStore, start: int) -> None:
    told: list[SignedCheckpoint] = []
    with EventLog(url, key=VKEY) as log:
        log.append_batch(some(8))
        put_anchor(store, 3)
        log.append_batch(some(2))
        found = log.tail(from_seq=start, verified=told.append)
        assert numbers(found, 10 - start) == list(range(start, 10))
        put_anchor(store, 9)
        put_anchor(store, 10)
        while len(told) < 3:
            log.append("t", "s", {})
            next(found)
    assert [checkpoint.checkpoint.size for checkpoint in told] == [3, 9, 10]


def test_a_checkpoint_of_another_tree_is_caught(url: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "agreeing", lambda *given: given[-1])  # a log that hands out whatever it has
    with EventLog(url, key=VKEY) as log:
        log.append_batch(some(5))
        put_anchor(store, 3, root=merkle.EMPTY_ROOT)
        found = log.tail(from_seq=0, verified=lambda _: None)
        numbers(found, 5)
        with pytest.raises(LogMisbehavedError, match="the log signed another tree of size 3"):
            go_on(log, found)


def test_checkpoints_that_contradict_each_other_are_caught(url: str, store: MongoStore) -> None:
    with EventLog(url, key=VKEY) as log:
        log.append_batch(some(5))
        put_anchor(store, 5)
        found = log.tail(from_seq=0, verified=lambda _: None)
        numbers(found, 5)
        put_anchor(store, 3)
        with pytest.raises(LogMisbehavedError, match="the log went back"):
            go_on(log, found)


def test_a_history_that_was_rewritten_before_the_beginning_is_caught_by_the_next_checkpoint(
    lying: Lying,
) -> None:
    """The log says what it will about what came before; the checkpoint tells."""

    def other_past(path: str, body: bytes) -> bytes:
        if "/consistency" not in path:
            return body
        fields = json.loads(body)
        fields["hashes"] = ["00" * 32 for _ in fields["hashes"]]
        return json.dumps(fields).encode()

    with served(lying) as url, EventLog(url, key=VKEY, sleep=lambda _: None) as log:
        log.append_batch(some(6))
        lying.change = other_past
        with pytest.raises(LogMisbehavedError, match="the consistency proof does not verify"):
            numbers(log.tail(from_seq=4, verified=lambda _: None), 2)


def test_checkpoints_need_a_pinned_key_and_all_events(url: str) -> None:
    with EventLog(url) as log, pytest.raises(KeyNeededError):
        log.tail(verified=lambda _: None)
    with EventLog(url, key=VKEY) as log, pytest.raises(ValueError, match="leaves out events"):
        log.tail(event_type=["t"], verified=lambda _: None)


def _without(seq: int) -> Change:
    return lambda body: b"\n\n".join(part for part in body.split(b"\n\n") if not part.startswith(b"id: %d\ndata" % seq))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without(2), "event 3 is shown after event 1"),
        (_without(0), "event 1 is shown where event 0 belongs"),
        (lambda body: body.replace(b'"n":2', b'"n":3'), "event 2: payload_hash is not"),
        (lambda body: body + body, "is shown after event"),
    ],
)
def test_a_stream_that_lies_is_caught(lying: Lying, change: Change, words: str) -> None:
    with served(lying) as url, EventLog(url, sleep=lambda _: None) as log:
        log.append_batch(some(5))
        lying.change = lambda path, body: change(body) if path.startswith(STREAM) else body
        with pytest.raises(LogMisbehavedError, match=words):
            numbers(log.tail(from_seq=0), 10)


def test_events_of_another_chain_are_no_answer(lying: Lying) -> None:
    other: list[bytes] = []

    def swap(path: str, body: bytes) -> bytes:
        if "chain=other" in path:
            other.append(body)
        return other[0] if "chain=main" in path else body

    with served(lying) as url, EventLog(url, sleep=lambda _: None) as log:
        log.append("t", "s", {}, chain="other")
        lying.change = swap
        numbers(log.tail("other", from_seq=0), 1)
        with pytest.raises(LogMisbehavedError, match="asked for events of chain main, and got one of chain other"):
            numbers(log.tail("main", from_seq=0), 1)


def test_an_event_that_was_rewritten_after_it_was_shown_is_caught(lying: Lying) -> None:
    with served(lying) as url, EventLog(url, sleep=lambda _: None) as log:
        log.append_batch(some(5))
        found = log.tail(from_seq=0)
        numbers(found, 5)
        lying.change = lambda path, body: body.replace(b'"prev_hash":"', b'"prev_hash":"00') if STREAM in path else body
        log.append("t", "s", {})
        with pytest.raises(LogMisbehavedError):
            next(found)


@pytest.mark.usefixtures("store")
def test_a_chain_that_was_cut_is_caught(app: FastAPI, client: MongoClient[dict[str, Any]], database: str) -> None:
    with served(InParts(app)) as url, EventLog(url, sleep=lambda _: None) as log:
        log.append_batch(some(5))
        found = log.tail(from_seq=0)
        numbers(found, 5)
        for name in ("events", "sequences"):
            client[database][name].delete_many({})
        with pytest.raises(LogMisbehavedError, match="the chain ends before event 4"):
            next(found)


def test_events_that_are_held_back_are_missed_as_a_checkpoint_covers_them(lying: Lying, store: MongoStore) -> None:
    def hold_back(path: str, body: bytes) -> bytes:
        for seq in (3, 4):
            body = _without(seq)(body) if path.startswith(STREAM) else body
        return body

    with served(lying) as url, EventLog(url, key=VKEY, sleep=pause) as log:
        log.append_batch(some(5))
        put_anchor(store, 5)
        lying.change = hold_back
        with pytest.raises(LogMisbehavedError, match="a checkpoint covers 5 events"):
            numbers(log.tail(from_seq=0, verified=lambda _: None), 10)


def test_an_old_checkpoint_from_a_server_that_lags_behind_is_no_lie(lying: Lying, store: MongoStore) -> None:
    notes: list[bytes] = []

    def lag(path: str, body: bytes) -> bytes:
        if not path.startswith(STREAM) or not lagging:
            return body
        return body.replace(orjson.dumps(notes[1].decode()), orjson.dumps(notes[0].decode())).replace(
            b'"number":2,"size":5', b'"number":1,"size":3'
        )

    lagging: list[bool] = []
    told: list[SignedCheckpoint] = []
    with served(lying) as url, EventLog(url, key=VKEY, sleep=pause) as log:
        log.append_batch(some(5))
        notes += [put_anchor(store, size).note for size in (3, 5)]
        lying.change = lag
        found = log.tail(from_seq=0, verified=told.append)
        assert numbers(found, 5) == list(range(5))
        log.append("t", "s", {})
        next(found)
        lagging.append(True)
        for _ in range(2):
            log.append("t", "s", {})
            next(found)
    assert [checkpoint.checkpoint.size for checkpoint in told] == [5]


class Restored:
    """A chain with three events that is put back to them later, after it had more."""

    def __init__(self, client: MongoClient[dict[str, Any]], database: str, log: EventLog, store: MongoStore) -> None:
        self._database = client[database]
        log.append_batch(some(3))
        store.settle("main")
        self._state = self._database.sequences.find_one({"_id": "main"}) or {}
        log.append_batch([NewEvent("wanted", "s", {}), *some(3)])
        store.settle("main")

    def put_back(self) -> None:
        self._database.sequences.replace_one({"_id": "main"}, self._state)
        self._database.events.delete_many({"seq": {"$gte": 3}})


def test_a_chain_that_was_put_back_while_it_is_followed_is_told(
    url: str,
    store: MongoStore,
    client: MongoClient[dict[str, Any]],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a filter there is no link to the event before. The chain stays shorter, or grows on with other events."""
    with EventLog(url, sleep=pause) as log:
        restored = Restored(client, database, log, store)
        monkeypatch.setattr(watcher, "SHORTER_SECONDS", 0.1)
        found = log.tail(from_seq=0, event_type=["wanted"])
        assert next(found).seq == 3
        restored.put_back()
        with pytest.raises(LogMisbehavedError, match="the chain ends before event 3, which the log has shown"):
            next(found)
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", 60.0)
    store.append("main", [draft(event_type="wanted")])
    with EventLog(url, sleep=pause) as log:  # which has seen none of these events
        found = log.tail(from_seq=0, event_type=["wanted"])
        assert next(found).seq == 3
        restored.put_back()
        store.append("main", [draft() for _ in range(5)])
        with pytest.raises(RefusedError, match="Stored data is damaged"):
            next(found)


def test_a_chain_that_is_shorter_than_the_log_has_said_is_told_though_no_event_was_shown(
    app: FastAPI, client: MongoClient[dict[str, Any]], database: str
) -> None:
    putting_back: list[Callable[[], None]] = []

    def between(_: float) -> None:
        if putting_back:
            putting_back.pop()()

    with served(InParts(app)) as url, EventLog(url, sleep=between) as log:
        putting_back.append(Restored(client, database, log, app.state.connection.log).put_back)
        with pytest.raises(LogMisbehavedError, match="the chain has 3 events, and the log has said that it has 7"):
            next(log.tail(from_seq=0, event_type=["other"]))
