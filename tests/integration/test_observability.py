"""Logs, metrics and traces: what is said of a request, and that a payload never is."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Tracer
from moto import mock_aws
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.audits import AuditStore
from eventlog.wiring.connection import Connection
from functions.ingest.app import routers

SECRET = "s3cr3t-payload-value"
EVENT = {"event_type": "t", "timestamp": "2026-11-23T00:00:00Z", "source_id": "s", "payload": {"card": SECRET}}


@contextmanager
def make_client(mongo_uri: str, database: str, **settings: Any) -> Iterator[TestClient]:
    settings = {"mongo_uri": mongo_uri, "mongo_database": database} | settings
    app = create_app(*routers, title=f"ingest-{database}", settings=Settings(**settings), anonymous=True)
    with closing(app.state.connection):
        yield TestClient(app, raise_server_exceptions=False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out = capsys.readouterr().out
    assert SECRET not in out
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def test_each_request_gives_one_log_line_with_its_correlation_id(
    mongo_uri: str, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_client(mongo_uri, database) as client:
        answer = client.post("/api/v1/events", json=EVENT, headers={"x-correlation-id": "abc-1"})
    logged = [line for line in lines(capsys) if line.get("message") == "request"]
    assert answer.headers["x-correlation-id"] == "abc-1"
    assert [(line["correlation_id"], line["route"], line["status"]) for line in logged] == [
        ("abc-1", "/api/v1/events", 201)
    ]


def test_each_request_gives_emf_metrics(mongo_uri: str, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with make_client(mongo_uri, database) as client:
        client.post("/api/v1/events", json=EVENT | {"event_type": 5})
    (metrics,) = [line for line in lines(capsys) if "_aws" in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EventLog"
    assert (metrics["Requests"], metrics["Errors"], metrics["route"]) == ([1.0], [0.0], "POST /api/v1/events")


def test_an_unexpected_error_is_a_problem_document_and_its_text_is_not_logged(
    mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("eventlog.http.ingest.append_one", broken)
    with make_client(mongo_uri, database) as client:
        answer = client.post("/api/v1/events", json=EVENT)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert SECRET not in answer.text
    assert [line["error"] for line in lines(capsys) if line.get("level") == "ERROR"] == ["RuntimeError"]


def test_an_unreachable_database_is_503_with_retry_after() -> None:
    with make_client("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100", "none") as client:
        answer = client.post("/api/v1/events", json=EVENT)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("tracing", [True, False])
def test_traces_are_made_only_when_switched_on(
    mongo_uri: str, database: str, tracing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")

    class Recorded(Tracer):
        def __init__(self, service: str, **options: Any) -> None:
            made.append(service)
            super().__init__(service=service, **options)

    monkeypatch.setattr("eventlog.http.observability.Tracer", Recorded)
    with make_client(mongo_uri, database, EVENTLOG_TRACING=tracing) as client:
        answer = client.post("/api/v1/events", json=EVENT)
    assert answer.status_code == 201
    assert made == ([f"eventlog-ingest-{database}"] if tracing else [])


def test_the_uri_comes_from_secrets_manager_when_a_secret_is_named(
    mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("MONGO_URI", raising=False)
    with mock_aws():
        secret = boto3.client("secretsmanager").create_secret(Name="mongo", SecretString=mongo_uri)
        connection = Connection(Settings(mongo_uri=None, mongo_uri_secret=secret["ARN"], mongo_database=database))
        with closing(connection):
            connection.log.ping()


def test_without_any_uri_the_error_names_the_settings() -> None:
    with pytest.raises(ConfigurationError, match="MONGO_URI"):
        _ = Connection(Settings(mongo_uri=None)).log


def test_an_audit_read_without_a_database_is_reported_as_unavailable() -> None:
    connection = Connection(Settings(mongo_uri="mongodb://127.0.0.1:1/", mongo_database="none"))
    with (
        closing(connection),
        pytest.raises(StoreUnavailableError),
        AuditStore(connection.log).together("main") as reads,
    ):
        reads.sequence()
