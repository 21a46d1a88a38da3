"""Erasures and holds over HTTP: what is answered at each step, and what is refused with nothing logged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.http.governance import carry_out
from eventlog.http.wired import wiring_of
from eventlog.settings import ConfigurationError, Settings
from eventlog.wiring.erase import EraseWiring
from functions.erase.app import handler
from functions.erase.app import routers as erase_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.support.anchored import AnchoredLog
from tests.support.callers import by_jwt
from tests.support.gateway import BehindGateway
from tests.support.governed import REQUEST, governed_settings

CHAIN = "/api/v1/chains/main"
EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"name": "Ada"}}
ASKED = {"events": ["a"], "basis": "gdpr-art-17", "reason": "request 118", "request_id": REQUEST}


@pytest.fixture
def settings(mongo_uri: str, database: str, log: AnchoredLog, tmp_path: Path) -> Settings:
    """Those of a log that can erase."""
    settings = governed_settings(mongo_uri, database, tmp_path)
    log.governance = settings.governance_public_keys
    return settings


@pytest.fixture
def api(settings: Settings) -> Iterator[TestClient]:
    """The routes, with three events a, b and c."""
    app = create_app(*ingest_routers, *query_routers, *erase_routers, title="x", settings=settings, anonymous=True)
    with TestClient(app) as client:
        for name in ("a", "b", "c"):
            assert client.post("/api/v1/events", json=EVENT | {"event_id": name}).status_code == 201
        yield client
    app.state.connection.close()


def size(log: AnchoredLog) -> int:
    found = log.store.chain("main")
    assert found is not None
    return found.state.size


def test_an_erasure_from_the_request_to_the_last_answer(api: TestClient, log: AnchoredLog) -> None:
    ordered = api.post(f"{CHAIN}/erasures", json=ASKED | {"events": ["a", {"seq": 1}]})
    assert (ordered.status_code, ordered.headers["location"]) == (202, f"{CHAIN}/erasures/{REQUEST}")
    told = ordered.json()
    assert [told[name] for name in ("erasure_id", "seq", "events", "by")] == [REQUEST, 3, 2, "anonymous"]
    assert told["state"] == "logged"
    again = api.post(f"{CHAIN}/erasures", json=ASKED | {"events": ["b", "a"]})
    assert (again.status_code, again.json()) == (200, told)
    other = api.post(f"{CHAIN}/erasures", json=ASKED)
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (409, "/request_id")
    log.audit()
    assert api.get(f"{CHAIN}/erasures/{REQUEST}").json()["state"] == "anchored"
    done = carry_out(wiring_of(api.app, EraseWiring), 60)  # type: ignore[arg-type]
    assert (done["emptied"], done["failed"]) == (2, 0)
    assert api.get(f"{CHAIN}/erasures/{REQUEST}").json() == told | {"state": "erased", "erased": 2}
    assert told["seqs"] == [0, 1]
    listed = api.get(f"{CHAIN}/erasures").json()
    shown = told | {"state": "erased", "seqs": None, "erased": None, "held": None}
    assert listed == {"erasures": [shown], "next": None}
    gone = api.post("/api/v1/events", json=EVENT | {"event_id": "a"})
    assert (gone.status_code, gone.json()["errors"]) == (
        410,
        [{"pointer": "/event_id", "detail": "the event a was erased"}],
    )
    batch = api.post("/api/v1/events/batch", json=[EVENT | {"event_id": "new"}, EVENT | {"event_id": "b"}])
    assert (batch.status_code, batch.json()["errors"][0]["pointer"]) == (410, "/1/event_id")
    assert size(log) == 4


def test_what_is_refused_names_the_field_and_nothing_is_logged(api: TestClient, log: AnchoredLog) -> None:
    table: list[tuple[Any, int, str]] = [
        (ASKED | {"events": []}, 422, "/events"),
        (ASKED | {"events": ["a", 7]}, 422, "/events/1"),
        (ASKED | {"events": [{"seq": -1}]}, 422, "/events/0"),
        (ASKED | {"events": [{"seq": True}]}, 422, "/events/0"),
        (ASKED | {"events": [{"seq": 0, "x": 1}]}, 422, "/events/0"),
        (ASKED | {"events": ["a"] * 1001}, 422, "/events"),
        (ASKED | {"basis": "GDPR"}, 422, "/basis"),
        (ASKED | {"reason": ""}, 422, "/reason"),
        (ASKED | {"reason": "a\nb"}, 422, "/reason"),
        (ASKED | {"reason": "x" * 501}, 422, "/reason"),
        (ASKED | {"request_id": "7"}, 422, "/request_id"),
        (ASKED | {"request_id": REQUEST.upper()}, 422, "/request_id"),
        (ASKED | {"more": 1}, 422, "/more"),
        ([], 422, ""),
    ]
    for body, status, pointer in table:
        answer = api.post(f"{CHAIN}/erasures", json=body)
        assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (status, [pointer]), (
            body
        )
    assert api.post(f"{CHAIN}/erasures", content=b"{").status_code == 400
    unknown = api.post(f"{CHAIN}/erasures", json=ASKED | {"events": ["a", "x", {"seq": 9}]})
    assert (unknown.status_code, unknown.json()["detail"]) == (
        404,
        "Chain main has no event x, seq 9; nothing was logged.",
    )
    assert api.post("/api/v1/chains/other/erasures", json=ASKED).status_code == 404
    for path in (f"{CHAIN}/erasures/{REQUEST}", "/api/v1/chains/other/erasures", "/api/v1/chains/other/holds"):
        assert api.get(path).status_code == 404
    assert api.get(f"{CHAIN}/erasures/x").status_code == 422
    assert size(log) == 3


def test_a_hold_is_set_listed_and_released(api: TestClient, log: AnchoredLog) -> None:
    for wrong in ({"from_seq": 1}, {"from_seq": 2, "to_seq": 2}, {"until": 7}, {"to_seq": "x"}):
        assert api.post(f"{CHAIN}/holds", json={"reason": "r", **wrong}).status_code == 422
    assert api.get(f"{CHAIN}/holds").json() == {"holds": []}
    asked = {
        "reason": "proceedings",
        "from_seq": 0,
        "to_seq": 2,
        "until": "2999-01-01T00:00:00Z",
        "request_id": REQUEST,
    }
    held = api.post(f"{CHAIN}/holds", json=asked)
    assert held.status_code == 201
    hold = held.json()
    assert (hold["from_seq"], hold["to_seq"], hold["until"], hold["in_force"]) == (
        0,
        2,
        "2999-01-01T00:00:00.000Z",
        True,
    )
    assert api.post(f"{CHAIN}/holds", json=asked).status_code == 200
    refused = api.post(f"{CHAIN}/erasures", json=ASKED | {"request_id": REQUEST.replace("1", "2")})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/events/0")
    assert hold["event_id"] in refused.json()["errors"][0]["detail"]
    path, why = (
        f"{CHAIN}/holds/{hold['hold_id']}/release",
        {"reason": "settled", "request_id": REQUEST.replace("1", "3")},
    )
    assert api.post(path.replace(REQUEST, REQUEST.replace("1", "9")), json=why).status_code == 404
    released = api.post(path, json=why)
    assert (released.status_code, released.json()["in_force"], released.json()["released"]["seq"]) == (201, False, 4)
    assert api.post(path, json=why).status_code == 200
    assert api.get(f"{CHAIN}/holds").json() == {"holds": [released.json()]}
    assert api.post(f"{CHAIN}/erasures", json=ASKED | {"request_id": REQUEST.replace("1", "2")}).status_code == 202
    assert size(log) == 6


def test_another_caller_approves(settings: Settings, log: AnchoredLog) -> None:
    settings.erasure_approvals = 2
    app = create_app(*ingest_routers, *erase_routers, title="x", settings=settings)
    every = "events:read events:write events:erase holds:write"
    ways = [BehindGateway(app, by_jwt(sub=name, scope=every)) for name in ("privacy", "officer")]
    privacy, officer = map(TestClient, ways)
    try:
        privacy.post("/api/v1/events", json=EVENT | {"event_id": "a"})
        waits = privacy.post(f"{CHAIN}/erasures", json=ASKED).json()
        assert (waits["state"], waits["event_id"]) == ("waiting", None)
        assert officer.get(f"{CHAIN}/erasures").json()["erasures"][0]["erasure_id"] == REQUEST
        assert privacy.post(f"{CHAIN}/erasures/{REQUEST}/approve").status_code == 409
        assert size(log) == 1
        done = officer.post(f"{CHAIN}/erasures/{REQUEST}/approve").json()
        assert (done["state"], done["by"], done["approved_by"]) == ("logged", "privacy", "officer")
    finally:
        for way in ways:
            way.close()
        app.state.connection.close()


@pytest.mark.parametrize("missing", ["governance_keys", "governance_signing_key", "anchors"])
def test_a_log_that_was_not_set_up_for_it_erases_nothing_and_says_what_to_set(settings: Settings, missing: str) -> None:
    """It asks no database, and need not know one: so is the function of a stack that has no key."""
    off = settings.model_copy(update={missing: None if missing == "anchors" else "", "mongo_uri": ""})
    app = create_app(*erase_routers, title="x", settings=off, anonymous=True)
    with TestClient(app) as api:
        for method, path in (("POST", "erasures"), ("GET", "erasures"), ("POST", "holds"), ("GET", "holds")):
            answer = api.request(method, f"{CHAIN}/{path}", json=ASKED if path == "erasures" else {"reason": "r"})
            assert (answer.status_code, "EVENTLOG_" in answer.json()["detail"]) == (501, True)
        assert "EVENTLOG_" in carry_out(wiring_of(app, EraseWiring), 60)["skipped"]
    app.state.connection.close()


def test_a_key_that_nobody_would_believe_signs_nothing(settings: Settings, log: AnchoredLog, tmp_path: Path) -> None:
    log.append(1)
    other = settings.model_copy(update={"governance_signing_key": str(tmp_path / "key")})
    app = create_app(*erase_routers, title="x", settings=other, anonymous=True)
    with TestClient(app) as api, pytest.raises(ConfigurationError, match="is none of the EVENTLOG_GOVERNANCE_KEYS"):
        wiring_of(app, EraseWiring).ordering.signers()
    assert api is not None
    app.state.connection.close()


def test_the_function_answers_the_schedule_where_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1")
    assert "EVENTLOG_GOVERNANCE_KEYS" in handler({"source": "eventlog.schedule"}, None)["skipped"]
