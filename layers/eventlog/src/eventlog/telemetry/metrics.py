"""Metrics, in CloudWatch's embedded metric format in the log. No dimension is a chain: each chain would cost extra.

``docs/operations.md`` says what each metric means.
"""

import os
import time
from collections.abc import Iterable, Mapping

import orjson
from aws_lambda_powertools.metrics import MetricUnit
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


_MOST = 100
"""Values of a metric that a record may have (embedded metric format)."""


def emit(service: str, values: Mapping[str, float | Iterable[float]], **dimensions: str) -> None:
    """Write one record of these metrics to the log. A metric may have several values, which are all kept.

    Records are as the library writes them, which takes four times as long: every request has one, and appends have two.
    """
    if is_metrics_disabled():
        return
    namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE
    named = dimensions | {"service": service}
    left = {name: [*map(float, found if isinstance(found, Iterable) else (found,))] for name, found in values.items()}
    while left := {name: found for name, found in left.items() if found}:
        units = [{"Name": name, "Unit": UNITS[name].value} for name in left]
        declared = {"Namespace": namespace, "Dimensions": [[*named]], "Metrics": units}
        about = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [declared]}
        first = {name: found[:_MOST] for name, found in left.items()}
        print(orjson.dumps({"_aws": about, **named, **first}).decode())
        left = {name: found[_MOST:] for name, found in left.items()}
