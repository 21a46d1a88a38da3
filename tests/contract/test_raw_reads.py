"""Reading documents as bytes: all of them, no cursor is left open; and how many round trips a page takes."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from eventlog.store.errors import StoreUnavailableError
from eventlog.store.interface import Query
from eventlog.store.mongo import raw_reads
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.raw_reads import read_documents
from eventlog.store.mongo.sessions import causal_session
from eventlog.store.mongo.store import MongoStore
from tests.support.factories import draft

pytestmark = pytest.mark.replica_set  # through a router the driver itself reads
CHAIN = "main"
FIND = {"find": "events", "filter": {"chain": CHAIN}, "sort": {"seq": 1}}


class Commands(CommandListener):
    """Counts the commands that are sent."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        self.sent[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def operations(mongo_uri: str, database: str, commands: Commands) -> Iterator[Operations]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri, retryWrites=False, event_listeners=[commands])
    with client:
        made = Operations(client, database)
        made.ensure_indexes()
        yield made


@pytest.fixture
def store(operations: Operations) -> MongoStore:
    made = MongoStore(operations, "log.example")
    made.append(CHAIN, [draft(f"e{number:03}") for number in range(205)])
    made.settle(CHAIN)
    return made


def stored(operations: Operations) -> list[bytes]:
    return [bytes(found.raw) for found in operations.raw_events.find({"chain": CHAIN}, sort=[("seq", 1)])]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("size", [1, 100, 204, 205, 206, 1000])
def test_every_batch_comes_whatever_its_size(operations: Operations, size: int) -> None:
    with causal_session(operations.client) as session:
        found = list(read_documents(operations.events.database, FIND | {"batchSize": size}, session))
    assert [raw for batch in found for raw in batch] == stored(operations)
    assert len(found[0]) == min(size, 205)


@pytest.mark.parametrize("sort", ["seq", "time"])
def test_a_page_may_take_more_than_one_answer_has_room_for(
    operations: Operations, sort: Literal["seq", "time"]
) -> None:
    inline = MongoStore(operations, "log.example", apart_from=0)
    for _ in range(20):
        inline.append(CHAIN, [draft(payload={"text": "x" * (200 << 10)}) for _ in range(5)])
        inline.settle(CHAIN)
    query = Query(chain=CHAIN, sort=sort, order="asc", limit=100, max_bytes=1 << 30)
    assert [event.seq for event in inline.page(query).events] == list(range(100))
    assert len(inline.texts(query).events) == 100


@pytest.mark.usefixtures("store")
def test_a_cursor_is_closed_that_nobody_reads_to_its_end(operations: Operations, commands: Commands) -> None:
    with causal_session(operations.client) as session:
        batches = read_documents(operations.events.database, FIND | {"batchSize": 10}, session)
        next(batches)
        before = commands.sent["killCursors"]
        batches.close()
    assert (before, commands.sent["killCursors"]) == (0, 1)


@pytest.mark.parametrize("error", [AutoReconnect("lost"), *(OperationFailure("lost", code) for code in (6, 89, 9001))])
def test_a_read_whose_connection_was_lost_is_tried_once_more(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run, lost = raw_reads.run, [error]

    def losing(*asked: Any) -> Any:
        if lost:
            raise lost.pop()
        return run(*asked)

    monkeypatch.setattr(raw_reads, "run", losing)
    assert len(store.page(Query(chain=CHAIN, limit=3, sort="seq")).events) == 3
    assert not lost


def test_what_trying_again_can_not_help_is_not_tried_again(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def refused(*_: Any) -> Any:
        asked.append(1)
        raise OperationFailure("refused", 2)

    monkeypatch.setattr(raw_reads, "run", refused)
    with pytest.raises(StoreUnavailableError):
        store.page(Query(chain=CHAIN, limit=3, sort="seq"))
    assert len(asked) == 1


@pytest.mark.parametrize("limit", [1, 100, 101, 204, 205, 1000])
def test_a_page_takes_the_same_round_trips_whatever_its_length(
    store: MongoStore, commands: Commands, limit: int
) -> None:
    # The sequence document and the events by one command; in the order by seq one after the other.
    by_time, by_seq = Query(chain=CHAIN, limit=limit), Query(chain=CHAIN, limit=limit, sort="seq")
    for read in (store.page, store.texts):
        for query, sent in ((by_time, {"aggregate": 1}), (by_seq, {"find": 2})):
            commands.sent.clear()
            assert len(read(query).events) == min(limit, 205)
            assert commands.sent == sent


def test_where_nothing_is_settled_or_no_chain_is_one_round_trip_is_all(
    operations: Operations, commands: Commands
) -> None:
    store = MongoStore(operations, "log.example")
    operations.create("idle", "log.example")
    commands.sent.clear()
    assert store.texts(Query(chain="idle")).events == []
    assert store.texts(Query(chain="none")).events == []
    assert commands.sent == {"aggregate": 2}
    assert store.texts(Query(chain="idle", sort="seq")).events == []
    assert store.texts(Query(chain="none", sort="seq")).events == []
    assert commands.sent == {"aggregate": 2, "find": 2}


def test_a_collection_that_is_not_there_has_no_documents(operations: Operations) -> None:
    operations.events.drop()
    with causal_session(operations.client) as session:
        assert list(read_documents(operations.events.database, FIND, session)) == [[]]
