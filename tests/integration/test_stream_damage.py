"""What a live stream does when the database shows what can't be: it ends and says so, and nobody waits for ever."""

import threading
from typing import Any

import pytest
from bson import DatetimeMS
from pymongo import MongoClient
from pymongo.errors import ConfigurationError

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.streams import watcher
from eventlog.streams.readers import EndedError
from eventlog.streams.subscription import Subscription
from tests.support import plain_http
from tests.support.coroutines import run
from tests.support.event_source import PATH, Subscriber
from tests.support.factories import draft
from tests.support.streams import streams_of

NO_TIME = 10**15
"""Milliseconds that no year of four digits has."""


def test_an_event_that_cannot_be_written_ends_the_streams_that_come_to_it(url: str, store: MongoStore) -> None:
    store.append("main", [draft()])
    live, late = Subscriber(url), Subscriber(url, last_id="-1")
    live.until("head")
    late.events(1)
    entry = codec.entry_fields(draft().entry) | {"timestamp": DatetimeMS(NO_TIME)}
    operations_of(store).sequences.update_one({"_id": "main"}, {"$push": {"pending": entry}, "$inc": {"size": 1}})
    for subscriber in (live, late):
        end = subscriber.until("end")
        assert (end.value, end.id) == ({"reason": "damaged"}, "0")
    answer = plain_http.get(f"{url}{PATH}", params={"from_seq": 1})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")


def test_a_chain_that_is_gone_ends_its_streams_where_they_can_go_on(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "SHORTER_SECONDS", 1.0)
    store.append("main", [draft(), draft()])
    subscriber = Subscriber(url, from_seq=0)
    subscriber.events(2)
    for name in ("sequences", "events"):
        client[database][name].delete_many({})
    end = subscriber.until("end")
    assert (end.value, end.id) == ({"reason": "shorter", "size": 0}, "-1")


def test_a_chain_that_is_shorter_for_a_moment_as_after_an_election_is_followed_on(
    url: str, store: MongoStore, client: MongoClient[dict[str, Any]], database: str
) -> None:
    store.append("main", [draft(), draft()])
    subscriber = Subscriber(url, from_seq=0)
    subscriber.events(2)
    sequences = client[database].sequences
    whole = sequences.find_one_and_delete({"_id": "main"})
    assert whole is not None
    sequences.insert_one(whole)
    store.append("main", [draft()])
    assert [event["seq"] for event in subscriber.events(1)] == [2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_watcher_that_is_gone_and_the_next_reader_gets_another(store: MongoStore) -> None:
    broken = threading.Event()

    def find() -> MongoStore:
        if broken.is_set():
            raise ConfigurationError("no such store")
        return store

    async def follow() -> None:
        streams = streams_of(find)
        with streams.reader(Subscription(chain="main")) as reader:
            await reader.start(5)
            await reader.more(5)
            broken.set()
            with pytest.raises(EndedError, match="stopping"):
                await reader.more(5)
            with streams.reader(Subscription(chain="main")) as refused, pytest.raises(StoreUnavailableError):
                await refused.start(5)
            broken.clear()
            with streams.reader(Subscription(chain="main")) as other:
                await other.start(5)

    run(follow())
