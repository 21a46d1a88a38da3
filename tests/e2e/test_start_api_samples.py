"""Each sample under events/, as a real request where it is one, against the built functions."""

import base64
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from local.machine import wait_until
from tests.e2e.start_api import StartApi, family, is_running, start
from tests.infrastructure import sam

AUDITOR, ERASER, READER, WRITER = "auditor", "eraser", "reader", "writer"
# In an order in which each finds what it asks for: the caller, and the answer's status.
REQUESTS: dict[str, tuple[str | None, int]] = {
    **dict.fromkeys(("post-event", "post-batch", "post-batch-ndjson"), (WRITER, 201)),
    **dict.fromkeys(
        ("post-cloudevent-structured", "post-cloudevent-binary", "post-cloudevents-batch"),
        (WRITER, 201),
    ),
    "post-audit": (AUDITOR, 200),
    "get-audits": (AUDITOR, 200),
    "get-audit-unknown": (AUDITOR, 404),
    **dict.fromkeys(("get-events", "get-event", "get-chains", "get-chain", "get-health"), (READER, 200)),
    **dict.fromkeys(("get-proof", "get-consistency", "get-root", "get-checkpoint"), (READER, 200)),
    **dict.fromkeys(("get-log-checkpoint", "get-log-tile", "get-export", "get-receipt"), (READER, 200)),
    **dict.fromkeys(("get-standing", "get-stats", "get-stream"), (READER, 200)),
    **dict.fromkeys(("get-search-fields", "get-suggestions"), (READER, 200)),
    **dict.fromkeys(("get-dashboard", "get-dashboard-config", "get-dashboard-file"), (None, 200)),
    "post-event-async": (WRITER, 202),
    **dict.fromkeys(("post-witness-checkpoint", "get-witness", "get-witness-checkpoint"), (None, 200)),
    **dict.fromkeys(("post-hold", "post-hold-release"), (ERASER, 201)),
    "post-erasure": (ERASER, 202),
    "post-erasure-approval": (ERASER, 200),
    **dict.fromkeys(("get-holds", "get-erasures", "get-erasure"), (READER, 200)),
    "get-head": (READER, 200),
}
INVOCATIONS = {
    "schedule-incremental": "ChainAuditFunction",
    "schedule-full": "ChainAuditFunction",
    "share-full-audit": "ChainAuditFunction",
    "share-segment": "ChainAuditFunction",
    "conclude-full-audit": "ChainAuditFunction",
    "queue-batch": "IngestQueueFunction",
    "schedule-erase": "EraseFunction",
    "witness-add-log": "WitnessFunction",
}
ORIGIN = "https://pages.example.com"
OPTIONS = ("--no-schedules", "--parameter", f"CorsOrigins={ORIGIN}")
GATEWAYS_OWN = {"authorization", "content-length", "host"}


@pytest.fixture(scope="module")
def api(built_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    with start(tmp_path_factory.mktemp("samples"), built_template, *OPTIONS) as running:
        yield running


def send(api: StartApi, who: str | None, sample: dict[str, Any]) -> httpx2.Response:
    """The request that API Gateway made the sample of."""
    body = sample.get("body", "")
    content = base64.b64decode(body) if sample.get("isBase64Encoded") else body.encode()
    headers = {name: value for name, value in sample["headers"].items() if name not in GATEWAYS_OWN}
    query = f"?{sample['rawQueryString']}" if sample["rawQueryString"] else ""
    method = sample["requestContext"]["http"]["method"]
    return api.ask(who, method, f"{sample['rawPath']}{query}", content=content, headers=headers)


@pytest.fixture(scope="module")
def answers(api: StartApi) -> dict[str, httpx2.Response]:
    # Before anything is anchored, as on a new log: else what was done until then was not watched, and is told so.
    assert api.invoke(INVOCATIONS["schedule-incremental"], sam.sample("schedule-incremental"))["audits"] == []
    delivered = api.invoke(INVOCATIONS["queue-batch"], sam.sample("queue-batch"))
    assert delivered == {"batchItemFailures": []}
    known = api.invoke(INVOCATIONS["witness-add-log"], sam.sample("witness-add-log"))
    assert known == {"origin": "log.example/eventlog/main", "added": True}
    found = {name: send(api, who, sam.sample(name)) for name, (who, _) in REQUESTS.items() if name != "get-head"}
    api.invoke(INVOCATIONS["schedule-incremental"], sam.sample("schedule-incremental"))  # commits to the heads
    return found | {"get-head": send(api, REQUESTS["get-head"][0], sam.sample("get-head"))}


def test_every_sample_is_sent() -> None:
    assert sorted([*REQUESTS, *INVOCATIONS]) == sam.samples()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_sample_request_is_answered_as_its_name_says(answers: dict[str, httpx2.Response], name: str) -> None:
    assert answers[name].status_code == REQUESTS[name][1], answers[name].text


def test_the_samples_leave_one_intact_chain(answers: dict[str, httpx2.Response]) -> None:
    report = answers["post-audit"].json()
    assert (report["status"], report["events_checked"]) == ("intact", 9)
    assert answers["get-checkpoint"].text.startswith("localhost/start-api/main\n9\n")
    assert len(answers["get-log-tile"].content) == 9 * 32


@pytest.mark.parametrize("name", ["schedule-incremental", "schedule-full", "conclude-full-audit"])
@pytest.mark.usefixtures("answers")
def test_a_schedule_audits_every_chain(api: StartApi, name: str) -> None:
    audits = api.invoke(INVOCATIONS[name], sam.sample(name))["audits"]
    assert {audit["chain"] for audit in audits} >= {"main", "eventlog.registry"}
    assert {audit["status"] for audit in audits} == {"intact"}


@pytest.mark.usefixtures("answers")
def test_what_was_ordered_and_is_anchored_is_erased_by_the_schedule(api: StartApi) -> None:
    """By its own user of the database, with the stack's governance key and what is kept in the bucket of anchors."""
    done = api.invoke(INVOCATIONS["schedule-erase"], sam.sample("schedule-erase"))
    assert (done["emptied"], done["carried_out"], done["refused"], done["failed"]) == (2, 1, 0, 0)
    assert send(api, READER, sam.sample("get-erasure")).json()["state"] == "erased"
    report = send(api, AUDITOR, sam.sample("post-audit")).json()
    assert (report["status"], report["erased"], report["findings"]) == ("intact", 2, [])
    assert api.metrics("EraseFunction", "EventsErased") == [2]


@pytest.mark.usefixtures("answers")
def test_a_full_round_of_short_chains_has_nothing_to_share(api: StartApi) -> None:
    plan, work = "share-full-audit", "share-segment"
    assert api.invoke(INVOCATIONS[plan], sam.sample(plan))["items"] == []
    assert "skipped" in api.invoke(INVOCATIONS[work], sam.sample(work))


def test_the_root_is_the_dashboard_and_asks_for_a_token(answers: dict[str, httpx2.Response], api: StartApi) -> None:
    page = answers["get-dashboard"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert '<script type="module" src="dashboard/main.js">' in page.text
    assert answers["get-dashboard-config"].json()["signIn"] is None
    assert api.ask(None, "GET", "/api/v1/chains").status_code == 401
    icon = api.ask(None, "GET", "/dashboard/icon.svg")
    assert (icon.headers["content-type"], icon.text[:4]) == ("image/svg+xml", "<svg")


def test_a_delivery_of_the_queue_is_appended(answers: dict[str, httpx2.Response]) -> None:
    assert answers["get-receipt"].json()["event_id"] == "sample-queued-1"


def test_a_browser_may_call_from_the_origin_that_the_parameter_names(api: StartApi) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    preflight = api.ask(None, "OPTIONS", "/api/v1/events", headers=headers)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert {"authorization", "last-event-id", "*"} <= set(preflight.headers["access-control-allow-headers"].split(","))


def test_head_is_led_to_the_function_and_answered_without_a_body(api: StartApi) -> None:
    for who, path in (
        (READER, "/api/v1/health"),
        (READER, "/api/v1/export"),
        (None, "/"),
        (None, "/dashboard/main.js"),
    ):
        answer = api.ask(who, "HEAD", path)
        assert (answer.status_code, answer.content, answer.headers["x-content-type-options"]) == (
            200,
            b"",
            "nosniff",
        ), path
    assert api.ask(None, "HEAD", "/api/v1/health").status_code == 401


def test_a_killed_parent_leaves_no_process(api: StartApi) -> None:
    """Last in this file."""
    started = family(api.process.pid)
    assert len(started) > 5
    api.process.send_signal(signal.SIGKILL)
    api.process.wait()
    wait_until("all processes to end", lambda: not [pid for pid in started if is_running(pid)])
