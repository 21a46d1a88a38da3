"""What befalls functions: death and time-outs in mid-request, many clients at once, more than fits, and the end."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from local.machine import wait_until
from tests.e2e.start_api import StartApi, event, family, is_running, start
from tests.support import plain_http
from tests.support.processes import SECONDS

LIMIT = 10
"""Seconds that a function has, its start included; fewer than the driver waits for a database that does not answer."""
CLIENTS = 50


@pytest.fixture(scope="module")
def api(built_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    options = ["--no-schedules", "--pool", "3", "--timeout", f"IngestFunction={LIMIT}"]
    with start(tmp_path_factory.mktemp("failures"), built_template, *options) as running:
        yield running


@contextmanager
def frozen_database(api: StartApi) -> Iterator[None]:
    """MongoDB takes connections and answers nothing, as in a network partition."""
    pid = api.mongod()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def stored(api: StartApi, chain: str) -> list[str]:
    """Ids of all events of a chain in its order, which has no gap."""
    found = api.ask("reader", "GET", f"/api/v1/events?chain={chain}&sort=seq&limit=1000").json()["events"]
    assert [each["seq"] for each in found] == list(range(len(found)))
    return [each["event_id"] for each in found]


def until_it_is_there(api: StartApi, name: str) -> int:
    """The answer that a client has in the end, which repeats a request that took too long.

    Three functions that start at once may, on a machine with two processors and more to do.
    """
    while (answer := api.post(name, chain="crowd")).status_code == 500:
        assert "Reset initiated: Timeout" in api.log("IngestFunction")
    return answer.status_code


def test_a_function_killed_in_mid_request_fails_and_a_retry_has_the_event_once(api: StartApi) -> None:
    api.post("before", chain="killed")
    begun = api.log("IngestFunction").count("INVOKE START")
    with ThreadPoolExecutor(1) as client:
        with frozen_database(api):
            answer = client.submit(api.post, "killed", chain="killed")
            wait_until("the request", lambda: api.log("IngestFunction").count("INVOKE START") > begun)
            for pid in api.runtimes("IngestFunction"):
                os.kill(pid, signal.SIGKILL)
            assert answer.result(SECONDS).status_code == 500
        assert answer.result().json() == {"message": "Internal Server Error"}
    assert api.post("killed", chain="killed").status_code in {200, 201}
    assert stored(api, "killed") == ["before", "killed"]


def test_a_function_that_takes_too_long_is_ended_and_the_next_request_works(api: StartApi) -> None:
    api.post("before", chain="late")
    with frozen_database(api):
        answer = api.post("late", chain="late")
    assert answer.status_code == 500
    assert LIMIT <= answer.elapsed.total_seconds() < 6 * LIMIT
    assert "Reset initiated: Timeout" in api.log("IngestFunction")
    assert api.post("late", chain="late").status_code in {200, 201}
    assert api.post("after", chain="late").status_code == 201
    assert stored(api, "late") == ["before", "late", "after"]


def test_nothing_is_lost_when_more_clients_come_than_functions_run(api: StartApi) -> None:
    names = [f"client-{number}" for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        assert set(clients.map(partial(until_it_is_there, api), names)) <= {200, 201}
    assert sorted(stored(api, "crowd")) == sorted(names)
    assert len(api.runtimes("IngestFunction")) <= 3


def test_an_emulator_that_is_gone_is_replaced(api: StartApi) -> None:
    api.post("first", chain="replaced")
    for pid in api.runtimes("IngestFunction"):
        (emulator,) = [each for each in family(api.process.pid) if pid in family(each)[1:] and each != api.process.pid]
        os.kill(emulator, signal.SIGKILL)
        wait_until("its end", lambda pid=pid: not is_running(pid))  # type: ignore[misc]
    assert api.post("second", chain="replaced").status_code == 201


def test_an_event_larger_than_lambda_takes_is_refused_at_the_edge(api: StartApi) -> None:
    answer = api.post("huge", payload={"text": "x" * (6 << 20)})
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})


def test_a_page_of_large_events_stays_within_what_lambda_answers(api: StartApi) -> None:
    payload = {"text": "x" * 250_000}
    for batch in range(2):
        events = [event(f"large-{batch}-{number}", chain="large", payload=payload) for number in range(12)]
        assert api.ask("writer", "POST", "/api/v1/events/batch", json=events).status_code == 201
    page = api.ask("reader", "GET", "/api/v1/events?chain=large&limit=1000")
    assert page.status_code == 200
    assert 3 << 20 < len(page.content) < 6 << 20
    assert page.json()["next_cursor"]


def test_an_unknown_function_can_not_be_invoked(api: StartApi) -> None:
    answer = plain_http.post(f"{api.url}/2015-03-31/functions/NoFunction/invocations", content=json.dumps({}))
    assert answer.status_code == 404


def test_ctrl_c_ends_everything_and_leaves_no_process(api: StartApi) -> None:
    """Last in this file."""
    started = family(api.process.pid)
    assert len(started) > 5
    api.process.send_signal(signal.SIGINT)
    assert api.process.wait(SECONDS) == 0
    assert api.output.rstrip().endswith("Stopped.")
    wait_until("all processes to end", lambda: not [pid for pid in started if is_running(pid)])
