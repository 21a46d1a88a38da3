"""What is measured, as CloudWatch's embedded metric format in the log. No dimension is a chain: each would cost extra.

``docs/operations.md`` says what each metric means.
"""

import os
from collections.abc import Iterable, Mapping

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.metrics.functions import is_metrics_disabled

NAMESPACE = "EventLog"
"""Unless POWERTOOLS_METRICS_NAMESPACE says another, as the template does for each stack."""
UNITS = {
    **dict.fromkeys(("Requests", "Errors", "Conflicts", "Events", "DeadLettered"), MetricUnit.Count),
    **dict.fromkeys(("AuditsFinished", "AuditFindings", "IncompleteAudits"), MetricUnit.Count),
    **dict.fromkeys(("EventsAudited", "UnanchoredEvents", "PendingEvents", "AnchoredSize"), MetricUnit.Count),
    **dict.fromkeys(("Duration", "SettleLag"), MetricUnit.Milliseconds),
    "AuditCoverage": MetricUnit.Percent,
}
"""All metrics there are."""


def emit(service: str, values: Mapping[str, float | Iterable[float]], **dimensions: str) -> None:
    """One record of these metrics; of several values each is kept."""
    if is_metrics_disabled():  # the library would make them all the same, and only not print them
        return
    metrics = EphemeralMetrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE, service=service)
    for name, text in dimensions.items():
        metrics.add_dimension(name, text)
    for name, found in values.items():
        for value in found if isinstance(found, Iterable) else (found,):
            metrics.add_metric(name, UNITS[name], float(value))
    metrics.flush_metrics()
