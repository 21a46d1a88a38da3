"""What every event store must do (the contract in eventlog.store.interface)."""

from collections.abc import Sequence
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.formats.event import Event
from eventlog.store.errors import IdConflictError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Draft, EventStore, Placed, Position, Query
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.store import MongoStore
from tests.support.factories import draft


class CombinedStore(MongoStore):
    """As the HTTP API appends: callers that wait together share a write."""

    def __init__(self, operations: Operations, origin: str) -> None:
        super().__init__(operations, origin)
        self._commits = GroupCommit(super().append)

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        return self._commits.append(chain, drafts)


@pytest.fixture(params=[MongoStore, CombinedStore])
def store(request: pytest.FixtureRequest, client: MongoClient[dict[str, Any]], database: str) -> EventStore:
    made: EventStore = request.param(Operations(client, database), "example.com/log")
    return made


def all_events(store: EventStore, chain: str = "main") -> list[Event]:
    return store.page(Query(chain=chain, sort="seq", order="asc", limit=1000)).events


def test_appends_get_contiguous_places_and_link_to_each_other(store: EventStore) -> None:
    placed = [*store.append("main", [draft()]), *store.append("main", [draft(), draft()])]
    assert [p.event.seq for p in placed] == [0, 1, 2]
    assert [p.event.prev_hash for p in placed[1:]] == [p.event.hash for p in placed[:2]]
    assert all_events(store) == [p.event for p in placed]


def test_a_batch_of_500_is_stored_in_its_order(store: EventStore) -> None:
    drafts = [draft() for _ in range(500)]
    store.append("main", drafts)
    assert [e.entry.event_id for e in all_events(store)] == [d.entry.event_id for d in drafts]


def test_a_replay_returns_the_original_and_stores_nothing(store: EventStore) -> None:
    (first,) = store.append("main", [draft("a")])
    (second,) = store.append("main", [draft("a")])
    assert (first.replayed, second.replayed) == (False, True)
    assert second.event == first.event
    assert len(all_events(store)) == 1


def test_another_content_under_the_same_id_is_refused_whole(store: EventStore) -> None:
    store.append("main", [draft("a")])
    with pytest.raises(IdConflictError) as caught:
        store.append("main", [draft("b"), draft("a", payload={"n": 2})])
    assert caught.value.ids == ["a"]
    assert store.get("main", "b") is None


def test_a_batch_with_known_and_new_events_gives_each_its_receipt(store: EventStore) -> None:
    store.append("main", [draft("a"), draft("b")])
    placed = store.append("main", [draft("c"), draft("a"), draft("d")])
    assert [(p.event.seq, p.replayed) for p in placed] == [(2, False), (0, True), (3, False)]


def test_ids_are_unique_in_a_chain_only(store: EventStore) -> None:
    store.append("main", [draft("a")])
    (other,) = store.append("other", [draft("a", chain="other", payload={"n": 2})])
    assert (other.event.seq, other.replayed) == (0, False)


def test_an_acknowledged_event_is_found_by_id_at_once(store: EventStore) -> None:
    (placed,) = store.append("main", [draft("a")])
    assert store.get("main", "a") == placed.event
    assert store.get("other", "a") is None


def test_chains_are_listed_with_their_heads(store: EventStore) -> None:
    (a,) = store.append("a", [draft(chain="a")])
    store.append("b", [draft(chain="b")])
    assert [c.name for c in store.chains("", 10)] == ["a", "b"]
    assert [c.name for c in store.chains("a", 10)] == ["b"]
    chain = store.chain("a")
    assert chain is not None
    assert (chain.state.size, chain.state.hash, chain.origin) == (1, a.event.hash, "example.com/log")
    assert store.chain("c") is None


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_by_time_give_every_event_once_in_order(store: EventStore, order: str) -> None:
    times = [5, 5, 5, 1, 9, 5, 7, 7, 3]
    store.append("main", [draft(timestamp=t) for t in times])
    expected = sorted(enumerate(times), key=lambda pair: (pair[1], pair[0]), reverse=order == "desc")
    after, seen, more = None, [], True
    while more:
        page = store.page(Query(chain="main", order="asc" if order == "asc" else "desc", limit=2, after=after))
        seen += [(e.seq, e.entry.timestamp) for e in page.events]
        after, more = Position(page.events[-1].entry.timestamp, page.events[-1].seq), page.more
    assert seen == expected
