"""Metrics as they are printed."""

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
