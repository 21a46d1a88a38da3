"""How many chains one caller may create in a day: on every way in, and counted where all processes see it."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from bson import Int64
from pymongo import MongoClient
from starlette.testclient import TestClient

from eventlog.audit.report import Mode
from eventlog.ingest.appending import Ingest
from eventlog.settings import Settings
from eventlog.store.errors import LimitError, StoreUnavailableError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface import Chain
from eventlog.store.mongo.quotas import DAY_SECONDS
from eventlog.store.mongo.store import MongoStore
from tests.contract.test_combined import Watched
from tests.integration.writer import ORIGIN
from tests.support.access import EVENT, Answer, Grant, Sample, ThroughGateway, WithTokens
from tests.support.anchored import AnchoredLog
from tests.support.callers import ARN
from tests.support.factories import draft
from tests.support.queues import Queues, consumer, fifo_queues, store_down

LIMIT = 2
EVENTS = "/api/v1/events"
TENANT, OTHER = Grant(name="tenant"), Grant(name="other")
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order"}
EVENT_TYPE, BATCH_TYPE = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with fifo_queues(monkeypatch) as queues:
        yield queues


@contextmanager
def limited(queues: Queues, mongo_uri: str, database: str, path: Path) -> Iterator[WithTokens]:
    """A process of a log in which each caller may create two chains a day."""
    settings = queues.settings(mongo_uri, database, EVENTLOG_NEW_CHAINS_PER_DAY=LIMIT)
    server = WithTokens(settings, path, [TENANT, OTHER])
    with closing(server.app.state.connection):
        yield server


def sizes(store: MongoStore) -> list[tuple[str, int]]:
    return [(chain.name, chain.state.size) for chain in store.chains("", 9) if isinstance(chain, Chain)]


def posted(server: WithTokens, grant: Grant, path: str, body: Any, kind: str = "application/json") -> Answer:
    headers = {"authorization": f"Bearer {grant.token()}", "content-type": kind}
    with TestClient(server.app, raise_server_exceptions=False) as client:
        answer = client.post(path, content=body if isinstance(body, bytes) else orjson.dumps(body), headers=headers)
    return Answer(answer.status_code, answer.headers, answer.content)


def is_refused(answer: Answer) -> None:
    status, detail = answer.problem
    assert (status, "EVENTLOG_NEW_CHAINS_PER_DAY" in detail, "you have created 2 chains today" in detail) == (
        429,
        True,
        True,
    )
    assert 0 < int(answer.headers["retry-after"]) <= DAY_SECONDS


WAYS: dict[str, tuple[str, Any, str]] = {
    "native": (EVENTS, EVENT, "application/json"),
    "native with an id": (EVENTS, EVENT | {"event_id": "e"}, "application/json"),
    "a batch": (f"{EVENTS}/batch", [EVENT, EVENT], "application/json"),
    "a batch with ids": (f"{EVENTS}/batch", [EVENT | {"event_id": "e"}, EVENT], "application/json"),
    "NDJSON": (f"{EVENTS}/batch", orjson.dumps(EVENT) + b"\n", "application/x-ndjson"),
    "a CloudEvent": (EVENTS, CLOUDEVENT, EVENT_TYPE),
    "CloudEvents": (f"{EVENTS}/batch", [CLOUDEVENT], BATCH_TYPE),
    "the queue": (f"{EVENTS}?async=true", EVENT, "application/json"),
    "a CloudEvent for the queue": (f"{EVENTS}?async=true", CLOUDEVENT, EVENT_TYPE),
}


def test_each_way_in_is_refused_beyond_the_limit_and_goes_on_in_chains_that_exist(
    queues: Queues, mongo_uri: str, database: str, tmp_path: Path, store: MongoStore
) -> None:
    with limited(queues, mongo_uri, database, tmp_path / "a") as server:
        first = [posted(server, TENANT, f"{EVENTS}?chain=old-{n}", EVENT).status for n in range(LIMIT)]
        assert first == [201] * LIMIT
        for way, (path, body, kind) in WAYS.items():
            sign = "&" if "?" in path else "?"
            is_refused(posted(server, TENANT, f"{path}{sign}chain=new", body, kind))
            assert posted(server, TENANT, f"{path}{sign}chain=old-1", body, kind).status in {200, 201, 202}, way
        assert [chain.name for chain in store.chains("", 100)] == ["old-0", "old-1"]
        # Others are not concerned, and what one of them created takes everybody's events.
        assert posted(server, OTHER, f"{EVENTS}?chain=shared", EVENT).status == 201
        assert posted(server, TENANT, f"{EVENTS}?chain=shared", EVENT).status == 201


def test_a_chain_is_created_before_202_and_the_queue_s_consumer_refuses_nothing(
    queues: Queues, mongo_uri: str, database: str, tmp_path: Path, store: MongoStore
) -> None:
    with limited(queues, mongo_uri, database, tmp_path / "a") as server:
        ways = [posted(server, TENANT, f"{EVENTS}?async=true&chain=c{n % 3}", EVENT) for n in range(6)]
        assert [answer.status for answer in ways] == [202, 202, 429, 202, 202, 429]
        assert sizes(store) == [("c0", 0), ("c1", 0)]
        assert queues.poll(consumer(server.app.state.connection)) == []
        assert sizes(store) == [("c0", 2), ("c1", 2)]
        # What was accepted before there were limits, or for a chain that a restored backup has not, is appended too.
        settings = queues.settings(mongo_uri, database, EVENTLOG_NEW_CHAINS_PER_DAY=0)
        free = WithTokens(settings, tmp_path / "b", [TENANT])
        with closing(free.app.state.connection):
            assert posted(free, TENANT, f"{EVENTS}?async=true&chain=c9", EVENT).status == 202
        assert store.chain("c9") is None
        assert queues.poll(consumer(server.app.state.connection)) == []
        assert store.chain("c9") is not None


def test_many_processes_at_once_create_no_more_than_the_limit(
    client: MongoClient[dict[str, Any]], database: str, store: MongoStore
) -> None:
    stores = [MongoStore(Watched(client, database), ORIGIN) for _ in range(4)]

    def create(number: int) -> int:
        try:
            return len(stores[number % 4].append_limited(f"c{number}", [draft(chain=f"c{number}")], new_chains=5))
        except LimitError:
            return 0

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(create, range(20)))
    assert (sum(made), len(store.chains("", 100))) == (5, 5)
    assert client[database]["quotas"].find_one() == {"_id": "anonymous", "day": _today(client), "chains": 6}


def _today(client: MongoClient[dict[str, Any]]) -> Any:
    now = client.admin.command("hello")["localTime"]
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def test_the_next_day_begins_anew_and_without_a_limit_nothing_is_counted(
    client: MongoClient[dict[str, Any]], database: str, store: MongoStore
) -> None:
    quotas = client[database]["quotas"]
    store.append("free", [draft(chain="free")])
    assert quotas.count_documents({}) == 0
    store.append_limited("a", [draft(chain="a")], new_chains=1)
    with pytest.raises(LimitError, match="There is no chain b, and you have created 1 chains today"):
        store.append_limited("b", [draft(chain="b")], new_chains=1)
    quotas.update_one({}, [{"$set": {"day": {"$subtract": ["$day", 1000 * DAY_SECONDS]}}}])
    store.append_limited("b", [draft(chain="b")], new_chains=1)
    (found,) = quotas.find()
    assert (found["chains"], type(found["chains"])) == (1, Int64)


def test_appends_that_share_a_write_create_a_chain_if_one_of_the_callers_may(store: MongoStore) -> None:
    store.append_limited("a", [draft(chain="a", principal="full")], new_chains=1)
    both = [[draft(chain=chain, principal=name) for name in ("full", "fresh")] for chain in "bc"]
    assert [placed.event.seq for placed in store.append_limited("b", both[0], new_chains=1)] == [0, 1]
    with pytest.raises(LimitError) as raised:
        store.append_limited("c", both[1], new_chains=1)
    assert not [name for name in ("full", "fresh") if name in str(raised.value)], "nobody learns who else appends"


def test_an_append_to_a_chain_that_exists_costs_not_one_round_trip_more(
    client: MongoClient[dict[str, Any]], database: str
) -> None:
    watched = Watched(client, database)
    store = MongoStore(watched, ORIGIN)
    store.append_limited("a", [draft(chain="a")], new_chains=1)
    watched.steps.clear()
    store.append_limited("a", [draft(chain="a")], new_chains=1)
    assert watched.steps == Counter({"push": 1})
    assert [found["chains"] for found in watched.quotas.find()] == [1]


def test_a_new_session_of_a_role_is_no_new_caller(mongo_uri: str, database: str) -> None:
    way = ThroughGateway(Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_NEW_CHAINS_PER_DAY=1))
    with closing(way.app.state.connection):
        answers = [
            way.call_as(
                "POST",
                Sample(EVENTS, json=EVENT | {"chain": f"c{number}"}),
                {"requestContext": {"authorizer": {"iam": {"userArn": f"{ARN}-{number}"}}}},
            ).status
            for number in range(3)
        ]
    assert answers == [201, 429, 429]


def test_while_the_database_can_t_be_asked_only_chains_that_are_known_are_accepted(
    queues: Queues, mongo_uri: str, database: str, store: MongoStore
) -> None:
    with store_down(queues.settings(mongo_uri, database)) as wired:
        logs = iter([store, wired.log])  # a database that answers once and then no more
        ingest = Ingest(GroupCommit(wired.log.append), lambda *asked: next(logs).open_chain(*asked, new_chains=1))
        for _ in range(2):
            ingest.check_chain(draft(chain="known"))
        with pytest.raises(StoreUnavailableError):
            ingest.check_chain(draft(chain="unknown"))
    assert [chain.name for chain in store.chains("", 9)] == ["known"]


def test_a_chain_that_waits_for_its_first_event_is_intact_and_so_it_is_with_it(log: AnchoredLog) -> None:
    log.append(2)
    log.store.open_chain("empty", "someone", new_chains=1)
    modes: tuple[Mode, ...] = ("incremental", "full")
    assert {report.status for mode in modes for report in log.audit_all(mode).values()} == {"intact"}
    log.append(3, chain="empty")
    for mode in modes:
        found = log.audit_all(mode)
        assert {report.status for report in found.values()} == {"intact"}
        assert found["empty"].anchored_size == 3
