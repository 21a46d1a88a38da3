"""CloudWatch's embedded metric format as it was printed, for tests."""

import json
from typing import Any

import pytest

Record = dict[str, Any]


def printed(capsys: pytest.CaptureFixture[str]) -> list[Record]:
    """Every line of JSON since the last call."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def records(lines: list[Record], metric: str) -> list[tuple[Record, list[float]]]:
    """The dimensions and values of each record that declares this metric, as CloudWatch reads it."""
    found = []
    for line in lines:
        for declared in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert declared["Namespace"] == "EventLog"
            if metric in {item["Name"] for item in declared["Metrics"]}:
                (names,) = declared["Dimensions"]
                values = line[metric] if isinstance(line[metric], list) else [line[metric]]
                found.append(({name: line[name] for name in names}, values))
    return found


def namespaces(lines: list[Record]) -> set[str]:
    """Of all metrics."""
    return {found["Namespace"] for line in lines if "_aws" in line for found in line["_aws"]["CloudWatchMetrics"]}


def unit(lines: list[Record], metric: str) -> str:
    """The unit that a metric is declared with."""
    declared = [item for line in lines if "_aws" in line for item in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return str(next(item["Unit"] for item in declared if item["Name"] == metric))
