"""Pages that are read by one command: the same as those of two, and by two where one can't do."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from bson import DatetimeMS, Int64
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from eventlog.formats.event_json import format_event
from eventlog.formats.name_filter import NameFilter
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import Page, Query
from eventlog.store.mongo import one_read, pages
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.raw_reads import run
from eventlog.store.mongo.store import MongoStore
from tests.contract.test_raw_reads import CHAIN, Commands
from tests.support.factories import draft
from tools.benchmarks.plans import Explainer

pytestmark = pytest.mark.replica_set  # through a router a page is two reads
ONE, TWO = {"aggregate": 1}, {"aggregate": 1, "find": 2}
FIRST = Query(chain=CHAIN, limit=3)


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
    """A chain of six settled events and three that are pending."""
    made = MongoStore(operations, "log.example")
    made.append(CHAIN, [draft(f"e{number}") for number in range(6)])
    made.settle(CHAIN)
    made.append(CHAIN, [draft(f"e{number}") for number in range(6, 9)])
    return made


def shown(store: MongoStore, commands: Commands, query: Query) -> dict[str, int]:
    """Read a page by two commands and by one, which give the same; return what is sent for the one, as texts too."""
    with patch.object(pages, "read_at_once", return_value=None):
        page = store.page(query)
    commands.sent.clear()
    assert store.page(query) == page
    sent = commands.sent.copy()
    commands.sent.clear()
    texts = [format_event(event) for event in page.events]
    assert store.texts(query) == Page(texts, page.more, page.size, page.settled_size, page.indexed_version)
    assert commands.sent == sent
    return dict(sent)


def insert(operations: Operations, seq: int, **fields: Any) -> None:
    """Insert a row of which no sequence document knows."""
    times = {"timestamp": DatetimeMS(1), "seq": Int64(seq)}
    operations.events.insert_one({"_id": f"{CHAIN}/planted-{seq}", "chain": CHAIN, **times, **fields})


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 8, 9, 10])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_what_is_settled_and_what_is_pending_come_in_one_round_trip(
    store: MongoStore, commands: Commands, limit: int, order: Any
) -> None:
    assert shown(store, commands, Query(chain=CHAIN, limit=limit, order=order)) == ONE


def test_an_event_that_is_settled_and_not_yet_trimmed_is_shown_once(
    store: MongoStore, operations: Operations, commands: Commands
) -> None:
    image = operations.read_sequence(CHAIN)
    assert image is not None
    with operations.session() as session:
        operations.insert(list(image.events())[:2], session)
    assert shown(store, commands, Query(chain=CHAIN, limit=20)) == TWO
    store.settle(CHAIN)
    assert shown(store, commands, Query(chain=CHAIN, limit=20)) == ONE


@pytest.mark.parametrize("seq", [9, 1 << 40, (1 << 63) - 2])
def test_a_row_beyond_the_end_is_on_no_page_whatever_is_in_it(
    store: MongoStore, operations: Operations, commands: Commands, seq: int
) -> None:
    insert(operations, seq, v=1)
    assert shown(store, commands, FIRST) in (ONE, TWO)
    assert shown(store, commands, Query(chain=CHAIN, limit=20, order="asc")) == TWO


def test_a_page_behind_a_cursor_ends_where_the_first_one_did(store: MongoStore, commands: Commands) -> None:
    store.settle(CHAIN)
    for size in (2, 6, 8, 9, 20):
        assert shown(store, commands, Query(chain=CHAIN, limit=20, size=size)) == ONE


@pytest.mark.parametrize(
    "query",
    [
        Query(chain=CHAIN, sort="seq"),
        Query(chain=CHAIN, event_types=NameFilter.of(["no.such*"])),
        Query(chain=CHAIN, source_ids=NameFilter.of(["no.such*"])),
    ],
)
def test_what_one_command_can_not_ask_takes_two_as_ever(store: MongoStore, commands: Commands, query: Query) -> None:
    assert shown(store, commands, query)["find"] >= 1


@pytest.mark.parametrize("error", [OperationFailure("no snapshot", 246), AutoReconnect("lost")])
def test_where_it_fails_a_page_takes_two(
    store: MongoStore, commands: Commands, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refused(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(one_read, "run", refused)
    assert shown(store, commands, FIRST) == {"find": 2}


def test_an_answer_that_is_not_whole_is_left_and_its_cursor_closed(
    store: MongoStore, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        one_read,
        "run",
        lambda database, command, session: run(database, command | {"cursor": {"batchSize": 2}}, session),
    )
    assert shown(store, commands, FIRST) == TWO | {"killCursors": 1}


def test_a_damaged_sequence_document_is_told_as_ever(store: MongoStore, operations: Operations) -> None:
    operations.sequences.update_one({"_id": CHAIN}, {"$unset": {"pending_bytes": 1}})
    for read in (store.page, store.texts):
        with pytest.raises(CorruptionError, match="pending_bytes is missing"):
            read(FIRST)


@pytest.mark.usefixtures("store")
def test_the_events_are_read_by_the_index_that_a_page_names(mongo_uri: str, database: str) -> None:
    explainer = Explainer(mongo_uri, database)
    with patch.object(one_read, "run", wraps=run) as asked:
        explainer.page(FIRST)
    _, command, _ = asked.call_args.args
    examined = explainer.examined([{name: given for name, given in command.items() if name != "readConcern"}])
    explainer.close()
    assert (examined.keys, examined.documents, examined.sorts) == (4, 4, 0)


def test_it_is_asked_of_one_moment(store: MongoStore) -> None:
    with patch.object(one_read, "run", wraps=run) as asked:
        store.texts(FIRST)
    assert [call.args[1]["readConcern"] for call in asked.call_args_list] == [{"level": "snapshot"}]
