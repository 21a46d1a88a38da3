"""Metrics, in CloudWatch's embedded metric format in the log. No dimension is a chain: each chain would cost extra.

``docs/operations.md`` says what each metric means.
"""

import os
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.metrics.functions import is_metrics_disabled

NAMESPACE = "EventLog"
"""The namespace, unless POWERTOOLS_METRICS_NAMESPACE names another, as the template does for each stack."""
UNITS = {
    **dict.fromkeys(("Requests", "Errors", "Conflicts", "Events", "DeadLettered"), MetricUnit.Count),
    **dict.fromkeys(("AuditsFinished", "AuditsSkipped", "AuditFindings", "IncompleteAudits"), MetricUnit.Count),
    **dict.fromkeys(("EventsAudited", "UnanchoredEvents", "PendingEvents", "AnchoredSize"), MetricUnit.Count),
    **dict.fromkeys(("ErasedDropped", "EventsErased", "ErasuresFailed"), MetricUnit.Count),
    **dict.fromkeys(("LeftoverPayloads", "WitnessAlarms", "WitnessCosignatures"), MetricUnit.Count),
    **dict.fromkeys(("Duration", "SettleLag"), MetricUnit.Milliseconds),
    "OpenFindings": MetricUnit.Count,
    **dict.fromkeys(("WitnessedSize", "WitnessFailures", "WitnessContradictions"), MetricUnit.Count),
    "AuditCoverage": MetricUnit.Percent,
    "FullAuditAge": MetricUnit.Seconds,
    "ErasureLag": MetricUnit.Seconds,
    "RehashAge": MetricUnit.Seconds,
    "WatchLag": MetricUnit.Seconds,
}
"""All metrics there are, with their units."""
_spare: list[EphemeralMetrics] = []
"""Those that nobody writes with now: making one takes nearly as long as writing a record with it."""


def emit(service: str, values: Mapping[str, float | Iterable[float]], **dimensions: str) -> None:
    """Write one record of these metrics to the log. A metric may have several values, which are all kept."""
    if is_metrics_disabled():  # the library would build the record all the same, and then not print it
        return
    try:
        metrics = _spare.pop()
    except IndexError:
        metrics = EphemeralMetrics()
    metrics.namespace, metrics.service = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE, service
    for name, text in dimensions.items():
        metrics.add_dimension(name, text)
    for name, found in values.items():
        for value in found if isinstance(found, Iterable) else (found,):
            metrics.add_metric(name, UNITS[name], float(value))
    metrics.flush_metrics()
    metrics.clear_metrics()  # after a multiple of 100 values all are written already, and the library clears nothing
    _spare.append(metrics)
