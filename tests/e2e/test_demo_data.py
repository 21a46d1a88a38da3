"""`make demo-data`: a believable week in a running log, or one sentence."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from local.demo.week import week
from tests.support import plain_http
from tests.support.ports import own_port
from tests.support.processes import behind_a_proxy, run, server

END = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)


def test_a_week_has_a_few_thousand_events_in_order_and_none_from_the_future() -> None:
    events = week(END)
    assert 2000 < len(events) < 6000
    times = [event["timestamp"] for event in events]
    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[0] >= "2026-11-16T11:59:00"
    assert times[-1] < "2026-11-23T12:34:56"
    assert len({event["event_type"] for event in events}) >= 10
    assert events == week(END)


def test_a_running_log_has_them_afterwards_and_is_intact(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        result = run(tmp_path, "local.demo.week", EVENTLOG_URL=running.url, **behind_a_proxy())
        assert (result.returncode, result.stderr) == (0, "")
        chain = plain_http.get(f"{running.url}/api/v1/chains/main").json()
    assert f"Logged {chain['size']} events of a week" in result.stdout
    assert chain["last_audit"]["status"] == "intact"


def test_without_a_log_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    result = run(tmp_path, "local.demo.week", PORT=str(own_port()))
    assert (result.returncode, result.stdout) == (1, "")
    assert "start it with `make run`" in result.stderr
    assert len(result.stderr.splitlines()) == 1
