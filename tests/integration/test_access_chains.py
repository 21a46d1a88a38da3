"""What a caller who is limited to chains may append, and what lists show."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from eventlog.chain_names import REGISTRY, covers
from eventlog.http.callers import parse_chains
from eventlog.settings import Settings
from eventlog.store.mongo.chain_filter import among
from eventlog.store.mongo.store import MongoStore
from tests.support.access import EVENT, Answer, Grant, Sample, ThroughGateway
from tests.support.callers import ARN, BY_IAM
from tests.support.factories import draft

API = "/api/v1"
ALL = Grant(name="all")
LIMITED = Grant(chains=("own.*", "mine"), name="limited")
OF_OTHERS = ("a", "main", "min", "mine.a", "own", "owner", "z")
OWN = ("mine", "own.a", "own.b", "own.c")


class Log:
    """A log behind API Gateway."""

    def __init__(self, way: ThroughGateway, store: MongoStore) -> None:
        self.way = way
        self.store = store

    def get(self, path: str, grant: Grant = LIMITED, **params: Any) -> Any:
        answer = self.way.call("GET", Sample(f"{API}/{path}", params=params), grant)
        assert answer.status == 200
        return answer.json()

    def post(self, path: str, body: Any, grant: Grant = LIMITED, headers: Any = None, params: Any = None) -> Answer:
        return self.way.call("POST", Sample(f"{API}/{path}", params=params or {}, json=body), grant, **(headers or {}))

    def fill(self, *chains: str) -> None:
        for chain in chains:
            self.store.append(chain, [draft(chain=chain)])

    def names(self) -> list[str]:
        return [chain.name for chain in self.store.chains("", 100)]


@pytest.fixture
def log(mongo_uri: str, database: str, store: MongoStore) -> Iterator[Log]:
    way = ThroughGateway(Settings(mongo_uri=mongo_uri, mongo_database=database))
    yield Log(way, store)
    way.app.state.connection.close()


def walk(log: Log, name: str, after: str, limit: int) -> tuple[list[str], int]:
    """The chains of a list that is read page by page, and how many pages there were."""
    found: list[str] = []
    pages, start = 0, dict[str, Any]()
    while True:
        page = log.get(name, limit=limit, **start)
        found += [item["chain"] for item in page[name]]
        pages += 1
        if page["next"] is None:
            return found, pages
        start = {after: page["next"]}


@pytest.mark.parametrize(("limit", "pages"), [(1, 5), (2, 3), (3, 2), (5, 1)])
def test_chains_of_others_are_in_no_page_and_take_no_place_in_one(log: Log, limit: int, pages: int) -> None:
    log.fill(*OF_OTHERS, *OWN)
    assert walk(log, "chains", "after", limit) == (list(OWN), pages)


@pytest.mark.parametrize(("limit", "pages"), [(1, 5), (2, 3), (5, 1)])
def test_neither_are_their_audits(log: Log, limit: int, pages: int) -> None:
    log.fill(*OF_OTHERS, *OWN)
    for chain in sorted({*OF_OTHERS, *OWN}):
        assert log.post("audits", {"chain": chain}, ALL).status == 200
    assert walk(log, "audits", "before", limit) == (list(reversed(OWN)), pages)
    assert [report["chain"] for report in log.get("audits", chain="own.a")["audits"]] == ["own.a"]


def test_a_caller_who_may_see_no_chain_sees_empty_lists(log: Log) -> None:
    log.fill(*OWN)
    log.post("audits", {"chain": "mine"}, ALL)
    nothing = Grant(chains=("NOT A NAME",))
    assert (log.get("chains", nothing)["chains"], log.get("audits", nothing)["audits"]) == ([], [])


@pytest.mark.parametrize("names", [("e*",), ("eventlog*", "own.*")])
def test_the_registry_shows_itself_to_no_prefix_that_is_not_its_own(log: Log, names: tuple[str, ...]) -> None:
    log.fill(REGISTRY, "eventlog", "e")
    shown = [chain["chain"] for chain in log.get("chains", Grant(chains=names))["chains"]]
    assert REGISTRY not in shown
    assert "eventlog" in shown
    assert log.way.call("GET", Sample(f"{API}/chains/{REGISTRY}"), Grant(chains=names)).status == 404


@pytest.mark.parametrize("names", [None, ("eventlog.registry",), ("eventlog.*",), ("*",)])
def test_the_registry_is_there_for_those_whom_it_was_given(log: Log, names: tuple[str, ...] | None) -> None:
    log.fill(REGISTRY)
    assert log.get(f"chains/{REGISTRY}", Grant(chains=names))["size"] == 1


def event(**fields: Any) -> dict[str, Any]:
    return EVENT | fields


CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}
BINARY = {f"ce-{name}": value for name, value in CLOUDEVENT.items()}
TO_OTHERS: dict[str, tuple[str, Any, dict[str, str], dict[str, str]]] = {
    "in the body": ("events", event(chain="theirs"), {}, {}),
    "in the body against the query": ("events", event(chain="theirs"), {}, {"chain": "mine"}),
    "in the query": ("events", event(), {}, {"chain": "theirs"}),
    "a structured CloudEvent": (
        "events",
        CLOUDEVENT,
        {"content-type": "application/cloudevents+json"},
        {"chain": "theirs"},
    ),
    "a binary CloudEvent": ("events", {}, BINARY, {"chain": "theirs"}),
    "a large event": ("events", event(chain="theirs", payload={"x": "x" * 20_000}), {}, {}),
    "a batch": ("events/batch", [event(chain="theirs")] * 2, {}, {}),
    "a batch by the query": ("events/batch", [event()], {}, {"chain": "theirs"}),
    "the last of a batch": ("events/batch", [event(chain="mine"), event(chain="theirs")], {}, {}),
    "a batch of CloudEvents": (
        "events/batch",
        [CLOUDEVENT],
        {"content-type": "application/cloudevents-batch+json"},
        {"chain": "theirs"},
    ),
}


@pytest.mark.parametrize("exists", [True, False], ids=["there", "not there"])
@pytest.mark.parametrize("way", TO_OTHERS)
def test_nothing_is_appended_to_the_chain_of_others(log: Log, way: str, exists: bool) -> None:
    path, body, headers, params = TO_OTHERS[way]
    if exists:
        log.fill("theirs")
    answer = log.post(path, body, headers=headers, params=params)
    assert answer.problem == (404, "There is no chain theirs.")
    assert log.names() == ["theirs"] * exists
    found = log.store.chain("theirs")
    assert found is None or found.state.size == 1


def test_what_is_wrong_with_a_batch_is_answered_before_the_chain_of_others(log: Log) -> None:
    sent = [event(chain="theirs"), event(chain="mine", timestamp="?")]
    answer = log.post("events/batch", sent)
    assert (answer.status, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/1/timestamp"])
    assert log.names() == []


def test_the_default_chain_must_be_allowed_too(log: Log) -> None:
    log.fill("main")
    assert log.post("events", event()).problem == (404, "There is no chain main.")
    assert log.post("events/batch", [event()]).problem == (404, "There is no chain main.")
    assert log.post("audits", {}).problem == (404, "There is no chain main.")
    assert log.way.call("POST", Sample(f"{API}/audits"), LIMITED).problem == (404, "There is no chain main.")
    assert log.get("events") == {"events": [], "next_cursor": None, "settled_size": 0}
    assert log.get("audits", ALL)["audits"] == []


def test_a_caller_makes_chains_under_the_own_prefix(log: Log) -> None:
    assert log.post("events", event(chain="own.new")).status == 201
    assert log.names() == ["own.new"]


def test_an_id_that_others_have_taken_is_free_in_an_own_chain(log: Log) -> None:
    log.post("events", event(chain="theirs", event_id="e"), ALL)
    assert log.post("events", event(chain="mine", event_id="e", payload={"n": 2})).status == 201


def test_a_cursor_carries_no_rights(log: Log) -> None:
    log.post("events/batch", [event(chain="theirs")] * 3, ALL)
    cursor = log.get("events", ALL, chain="theirs", limit=1)["next_cursor"]
    assert len(log.get("events", ALL, chain="theirs", limit=1, cursor=cursor)["events"]) == 1
    taken = log.get("events", LIMITED, chain="theirs", limit=1, cursor=cursor)
    assert taken == {"events": [], "next_cursor": None, "settled_size": 0}


def test_iam_lets_in_for_every_chain_with_the_arn_as_principal(log: Log) -> None:
    sample = Sample(f"{API}/events", json=event(chain="any", event_id="e"))
    log.way.call_as("POST", sample, BY_IAM)
    found = log.get("events/e", ALL, chain="any")
    assert found["principal"] == ARN


NAMES = st.one_of(
    st.sampled_from(["eventlog.registry", "eventlog", "eventlo", "e", "eventlog.r", "eventloga"]),
    st.text("abz.-_09", min_size=1, max_size=4).filter(lambda name: name[0] not in ".-_"),
)
LIMITS = st.lists(st.tuples(NAMES, st.booleans()).map(lambda drawn: drawn[0] + "*" * drawn[1]), max_size=3)


def test_the_filter_of_lists_finds_what_a_caller_may_see(client: MongoClient[dict[str, Any]], database: str) -> None:
    """The same rule stands in Python for one chain, and in a query for lists."""
    collection = client[database]["names"]

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.sets(NAMES, max_size=6), LIMITS)
    def check(chains: set[str], limits: list[str]) -> None:
        assert not limits or parse_chains(limits) == tuple(limits)
        collection.delete_many({})
        if chains:
            collection.insert_many([{"chain": chain} for chain in chains])
        found = {row["chain"] for row in collection.find(among("chain", limits))}
        assert found == {chain for chain in chains if covers(limits, chain)}

    check()
