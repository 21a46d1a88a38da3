"""One damaged document among many stops no walk over them, and hides nothing but what it held itself."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from bson import DatetimeMS, Int64, ObjectId
from fastapi import FastAPI
from starlette.testclient import TestClient

from eventlog.http import audits
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.wiring.audit import AuditWiring
from eventlog_client import ChainInfo, DamagedChain, EventLog
from local.settling import SettleSchedule
from tests.infrastructure.invoke import Context
from tests.support.access import ROUTERS
from tests.support.callers import by_jwt, gateway_event
from tests.support.factories import draft

CHAINS = ("a", "b", "c")
UPDATES: dict[str, dict[str, Any]] = {
    "nothing settled": {"$unset": {"settled": 1}},
    "a size that is text": {"$set": {"size": "x"}},
    "no list": {"$set": {"pending": "x"}},
    "an origin that is none": {"$set": {"origin": None}},
}


@pytest.fixture
def damaged(store: MongoStore) -> MongoStore:
    """Three chains, and rows beside them that are no chain's though their ids are text."""
    for chain in CHAINS:
        store.append(chain, [draft(chain=chain)])
        store.append(chain, [draft(chain=chain)])
    sequences = operations_of(store).sequences
    for name in ("", "A", "b b", "b\n", "b" * 65, "ü", 5, ObjectId()):
        sequences.insert_one({"_id": name})
    return store


def on_server(app: FastAPI, path: str, params: dict[str, Any]) -> Any:
    answer = TestClient(app, base_url="http://localhost").get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def behind_lambda(app: FastAPI, path: str, params: dict[str, Any]) -> Any:
    app = create_app(*ROUTERS, title="query", settings=app.state.connection.settings)
    handler: Any = lambda_handler(app)
    event = gateway_event("GET", path, by_jwt(sub="x", scope="events:read"), params=params, headers={}, content=b"")
    answer = handler(event, Context(1))
    app.state.connection.close()
    assert answer["statusCode"] == 200, answer["body"]
    return orjson.loads(answer["body"])


def walk(ask: Any, app: FastAPI, name: str, going_on: str) -> Iterator[dict[str, Any]]:
    rest: dict[str, Any] = {"limit": 1}
    for _ in range(20):
        found = ask(app, f"/api/v1/{name}", rest)
        yield from found[name]
        if found["next"] is None:
            return
        rest[going_on] = found["next"]
    raise AssertionError("the walk does not end")


@pytest.mark.parametrize("ask", [on_server, behind_lambda])
@pytest.mark.parametrize("which", CHAINS)
def test_a_damaged_chain_is_listed_as_damaged_and_the_walk_goes_on(
    damaged: MongoStore, app: FastAPI, ask: Any, which: str
) -> None:
    for update in UPDATES.values():
        operations_of(damaged).sequences.update_one({"_id": which}, update)
        shown = list(walk(ask, app, "chains", "after"))
        assert [chain["chain"] for chain in shown] == list(CHAINS)
        assert [chain["chain"] for chain in shown if "damaged" in chain] == [which]
        assert {"chain": which, "damaged": True} in [{k: v for k, v in one.items() if k != "standing"} for one in shown]
        assert all(chain["size"] == 2 for chain in shown if chain["chain"] != which)


def test_a_client_lists_it_in_its_place(damaged: MongoStore, url: str) -> None:
    operations_of(damaged).sequences.update_one({"_id": "a"}, UPDATES["nothing settled"])
    with EventLog(url) as log:
        first, *others = log.chains()
    assert first == DamagedChain("a")
    assert [(chain.chain, chain.size) for chain in others if isinstance(chain, ChainInfo)] == [("b", 2), ("c", 2)]


@pytest.mark.parametrize("ask", [on_server, behind_lambda])
def test_damaged_reports_are_listed_and_the_walk_goes_on(damaged: MongoStore, app: FastAPI, ask: Any) -> None:
    report = {"chain": "a", "mode": "full", "status": "intact", "started_at": DatetimeMS(1), "finished_at": None}
    report |= {"from_seq": Int64(0), "to_seq": None, "events_checked": Int64(0), "findings": []}
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(4)]
    reports = operations_of(damaged).audits
    for number, audit_id in enumerate(ids):
        reports.insert_one(report | {"_id": audit_id} | ({} if number % 2 else {"findings_total": Int64(0)}))
    # Behind these no list could go on: their ids are no text, or longer than any.
    for name in (5, ObjectId("0" * 24), "z" * 65, {"a": 1}, True):
        reports.insert_one({"_id": name, "chain": "a"})
    reports.insert_one({"_id": "~\n"})
    shown = list(walk(ask, app, "audits", "before"))
    assert [one["audit_id"] for one in shown[:5]] == ["~\n", *ids[::-1]]
    assert len(on_server(app, "/api/v1/audits", {"limit": 50})["audits"]) == 9
    assert [one["audit_id"] for one in shown if one["status"] == "intact"] == [ids[2], ids[0]]


@pytest.mark.parametrize("damage", UPDATES)
def test_a_damaged_chain_keeps_no_other_from_being_settled(damaged: MongoStore, damage: str) -> None:
    operations_of(damaged).sequences.update_one({"_id": "a"}, UPDATES[damage])
    schedule = SettleSchedule(damaged)
    schedule.tick()
    schedule.tick()
    waiting = operations_of(damaged).sequences.find({"pending.0": {"$exists": True}, "_id": {"$ne": "a"}})
    assert list(waiting) == []


def test_the_schedule_answers_with_what_is_wrong_however_many_chains_there_are(
    damaged: MongoStore, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.audit.schedule._ANSWERED", 2)
    operations_of(damaged).events.update_one({"chain": "c", "seq": 0}, {"$set": {"payload": "{}"}})
    operations_of(damaged).sequences.delete_many({"_id": {"$nin": list(CHAINS)}})
    answer = audits.run_scheduled(wiring_of(app, AuditWiring), "full")
    shown = [(report["chain"], report["status"]) for report in answer["audits"]]
    assert shown[0] == ("c", "tampered")
    assert (len(shown), answer["unnamed"]) == (2, 1)
