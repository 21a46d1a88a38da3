"""Metrics as they are printed."""

from collections.abc import Iterator

import pytest

from eventlog.telemetry import metrics
from tests.support import emf


@pytest.mark.parametrize(("given", "found"), [(None, "EventLog"), ("", "EventLog"), ("EventLog/shop", "EventLog/shop")])
def test_each_stack_has_a_namespace_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str | None, found: str
) -> None:
    if given is None:
        monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    else:
        monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", given)
    metrics.emit("eventlog-ingest", {"Events": 1})
    assert emf.namespaces(emf.printed(capsys)) == {found}


def test_a_record_has_nothing_of_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("eventlog-ingest", {"Requests": 1, "Duration": [2, 3]}, route="POST /events")
    with pytest.raises(KeyError):
        metrics.emit("eventlog-ingest", {"Errors": 1, "Unknown": 1}, route="GET /events")
    metrics.emit("eventlog-chain_audit", {"Events": 4})
    first, second = emf.printed(capsys)
    assert {"service": "eventlog-ingest", "route": "POST /events", "Requests": [1], "Duration": [2, 3]}.items() <= (
        first.items()
    )
    assert second.keys() == {"_aws", "service", "Events"}
    assert (second["service"], second["Events"]) == ("eventlog-chain_audit", [4])


def test_records_that_are_written_at_the_same_time_are_apart(capsys: pytest.CaptureFixture[str]) -> None:
    def values(service: str) -> Iterator[float]:
        metrics.emit(f"inner of {service}", {"Conflicts": 1})  # as another thread would, in the midst of this one
        yield 7

    metrics.emit("outer", {"Requests": values("outer")}, route="r")
    inner, outer = emf.printed(capsys)
    assert (inner["service"], inner["Conflicts"]) == ("inner of outer", [1])
    assert inner.keys() == {"_aws", "service", "Conflicts"}
    assert (outer["service"], outer["Requests"], outer["route"]) == ("outer", [7], "r")


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
def test_after_as_many_values_as_one_record_holds_the_next_record_begins_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics.emit("eventlog-ingest", {"Duration": range(100)}, route="r")
    metrics.emit("eventlog-ingest", {"Events": 1})
    full, next_one = emf.printed(capsys)
    assert full["Duration"] == list(range(100))
    assert next_one.keys() == {"_aws", "service", "Events"}
