"""When a chain is looked at: as the function's own user, without change streams, and while many chains are followed."""

import threading
import time
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from eventlog.store.mongo.changes import Changes
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.streams.subscription import Subscription
from tests.support.coroutines import run
from tests.support.factories import draft
from tests.support.secured import SecuredLog
from tests.support.streams import streams_of


def told(changes: Changes, size: int, seconds: float) -> bool:
    """Whether it returns before the time is up."""
    started = time.monotonic()
    changes.wait(size, seconds)
    return time.monotonic() - started < seconds / 2


def later(store: MongoStore, chain: str = "main") -> threading.Timer:
    timer = threading.Timer(0.2, lambda: store.append(chain, [draft(chain=chain)]))
    timer.start()
    return timer


def test_the_query_functions_user_is_told_when_a_chain_grows(secured_log: SecuredLog) -> None:
    with (
        secured_log.store("ingest") as ingest,
        secured_log.store("query") as query,
        Changes(lambda: query, "told", threading.Semaphore(1)) as changes,
    ):
        changes.wait(0, 5)
        assert changes.watching
        timer = later(ingest, "told")
        assert told(changes, 0, 60)
        timer.join()


def test_settling_and_other_chains_are_no_news(store: MongoStore) -> None:
    store.append("main", [draft() for _ in range(3)])
    with Changes(lambda: store, "main", threading.Semaphore(1)) as changes:
        changes.wait(3, 1)
        store.append("other", [draft(chain="other")])
        store.settle("main")
        started = time.monotonic()
        changes.wait(3, 1)
        assert time.monotonic() - started > 0.8


def test_it_polls_when_there_is_no_slot_and_takes_one_that_is_free_again(store: MongoStore) -> None:
    slots = threading.Semaphore(1)
    with (
        Changes(lambda: store, "main", slots) as first,
        Changes(lambda: store, "main", slots) as second,
    ):
        for changes in (first, second):
            changes.wait(0, 5)
        assert (first.watching, second.watching) == (True, False)
        assert told(second, 0, 60)
    with Changes(lambda: store, "main", slots) as third:
        third.wait(0, 5)
        assert third.watching


def test_a_chain_where_nothing_happens_is_polled_ever_less_until_something_does(store: MongoStore) -> None:
    def polls(changes: Changes, size: int) -> int:
        end, count = time.monotonic() + 2, 0
        while time.monotonic() < end:
            changes.wait(size, 1)
            count += 1
        return count

    with Changes(lambda: store, "main", threading.Semaphore(0)) as changes:
        assert polls(changes, 0) < 10
        started = time.monotonic()
        changes.wait(1, 60)
        assert time.monotonic() - started < 30


def test_a_stream_goes_on_where_no_change_stream_is_to_be_had(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OperationFailure("not authorized", 13)

    class Refusing(Operations):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            monkeypatch.setattr(type(self.sequences), "watch", refuse)

    refusing = MongoStore(
        Refusing(operations_of(store).client, operations_of(store).events.database.name), "example.com/log"
    )

    async def follow() -> bytes:
        with streams_of(lambda: refusing).reader(Subscription(chain="main")) as reader:
            await reader.start(5)
            await reader.more(5)
            timer = later(store)
            found = await reader.more(5)
            timer.join()
            return found

    assert run(follow()).startswith(b"id: 0\ndata: ")
