"""Metrics as they are printed."""

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics

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


@pytest.mark.parametrize("count", [0, 1, 2, 100, 101, 250])
def test_records_are_those_that_the_library_would_write(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    lags = [number / 8 for number in range(count)]
    metrics.emit("eventlog-x", {"Requests": 1, "SettleLag": lags}, route="GET /", mode="full")
    ours = emf.printed(capsys)
    library = EphemeralMetrics(namespace="EventLog", service="eventlog-x")
    library.add_dimension("route", "GET /")
    library.add_dimension("mode", "full")
    for lag in lags:
        library.add_metric("SettleLag", metrics.UNITS["SettleLag"], lag)
    library.add_metric("Requests", metrics.UNITS["Requests"], 1.0)
    library.flush_metrics()
    told = emf.printed(capsys)
    for name in ("Requests", "SettleLag"):
        (mine, theirs) = (emf.records(lines, name) for lines in (ours, told))
        assert [value for _, values in mine for value in values] == [value for _, values in theirs for value in values]
        assert all(len(values) <= 100 for _, values in mine)
        assert [about for about, _ in mine] == [about for about, _ in theirs]
        assert not mine or emf.unit(ours, name) == emf.unit(told, name)


def test_nothing_is_printed_of_metrics_that_have_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit("eventlog-x", {"SettleLag": []})
    assert emf.printed(capsys) == []
