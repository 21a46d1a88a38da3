"""The OpenAPI document against the API: no answer, media type or shape that it doesn't name, and no 5xx.

Each request is made twice, of a server and of the functions behind API Gateway, which must refuse the same things.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.mongo.store import connect
from tests.support.access import ROUTERS, SCOPES, governing
from tests.support.anchoring import put_anchor
from tests.support.callers import by_jwt
from tests.support.gateway import BehindGateway

pytestmark = pytest.mark.replica_set
"""The router of the tests is in this process, and draws random numbers while Hypothesis makes up requests."""
ROUTES = [
    "POST /api/v1/events",
    "POST /api/v1/events/batch",
    "GET /api/v1/events",
    "GET /api/v1/events/{event_id}",
    "GET /api/v1/events/{event_id}/proof",
    "GET /api/v1/events/{event_id}/receipt",
    "GET /api/v1/chains",
    "GET /api/v1/chains/{chain}",
    "GET /api/v1/chains/{chain}/consistency",
    "GET /api/v1/chains/{chain}/head",
    "GET /api/v1/chains/{chain}/root",
    "GET /api/v1/chains/{chain}/checkpoint",
    "GET /api/v1/chains/{chain}/tlog/checkpoint",
    "GET /api/v1/chains/{chain}/tlog/tile/{level}/{tile}",
    "GET /api/v1/export",
    "GET /api/v1/standing",
    "GET /api/v1/stats",
    "GET /api/v1/search-fields",
    "GET /api/v1/suggestions",
    "GET /api/v1/health",
    "POST /api/v1/audits",
    "GET /api/v1/audits",
    "GET /api/v1/audits/{audit_id}",
    "POST /api/v1/chains/{chain}/erasures",
    "GET /api/v1/chains/{chain}/erasures",
    "GET /api/v1/chains/{chain}/erasures/{erasure_id}",
    "POST /api/v1/chains/{chain}/erasures/{erasure_id}/approve",
    "POST /api/v1/chains/{chain}/holds",
    "GET /api/v1/chains/{chain}/holds",
    "POST /api/v1/chains/{chain}/holds/{hold_id}/release",
]
STREAM = "GET /api/v1/events/stream"
"""On a server its answer has no end: one frame of it is read."""
STREAM_SECONDS = 2.0
"""How long it waits for something behind API Gateway, for each example that has nothing to show."""
NOTHING_TO_GET_WRONG = [("GET /api/v1/health", GenerationMode.NEGATIVE)]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


class Log(NamedTuple):
    """The document of an API, with the API behind it, and the same log behind API Gateway."""

    document: BaseSchema
    gateway: BehindGateway


@pytest.fixture(scope="module")
def log(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """A log that has an event and a checkpoint, and takes orders to erase and to hold."""
    name = f"test_{uuid4().hex[:12]}"
    settings = Settings(mongo_uri=mongo_uri, mongo_database=name, stream_seconds=STREAM_SECONDS)
    settings = governing(settings, tmp_path_factory.mktemp("log"))
    with TestClient(create_app(*ROUTERS, title="local", settings=settings, anonymous=True)) as api:
        event = {
            "event_id": "e",
            "event_type": "t",
            "timestamp": "2026-11-23T12:00:00Z",
            "source_id": "s",
            "payload": {},
        }
        assert api.post("/api/v1/events", json=event).status_code == 201
        put_anchor(api.app.state.connection.log)  # type: ignore[attr-defined]
        described = api.get("/openapi.json").json()
        for methods in described["paths"].values():
            for operation in methods.values():
                del operation["security"]  # nobody signs in here (test_access.py)
        document = schemathesis.openapi.from_dict(described)
        document.app = api.app
        document.config.max_stream_events = 1
        app = create_app(*ROUTERS, title="function", settings=settings)
        gateway = BehindGateway(app, by_jwt(sub="someone", scope=" ".join(SCOPES)))
        yield Log(document, gateway)
        gateway.close()
        app.state.connection.close()
        api.app.state.connection.close()  # type: ignore[attr-defined]
    with connect(mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def document(log: Log) -> BaseSchema:
    return log.document


MODES = [(route, mode) for route in [*ROUTES, STREAM] for mode in GenerationMode]


@pytest.mark.parametrize(("route", "mode"), [one for one in MODES if one not in NOTHING_TO_GET_WRONG])
def test_every_answer_is_one_the_document_names_and_the_same_behind_api_gateway(
    log: Log, route: str, mode: GenerationMode
) -> None:
    method, path = route.split()
    operation = log.document[path][method]
    checks = [check for check in CHECKS if route != STREAM or check is not response_schema_conformance]

    @settings(
        max_examples=3 if route == STREAM else 15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        refused = []
        for app in (log.document.app, log.gateway):
            answer = case.call(app=app)
            case.validate_response(answer, checks=checks)
            refused.append(answer.json()["errors"] if answer.status_code == 422 else answer.status_code // 100)
        assert refused[0] == refused[1]

    check()


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
def test_exports_are_in_the_document_too(document: BaseSchema, accept: str) -> None:
    answer = TestClient(document.app).get("/api/v1/events", headers={"accept": accept})
    documented = document.raw_schema["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, accept)
    assert accept in documented


@pytest.mark.parametrize(
    ("path", "values", "accept", "kind"),
    [
        ("/api/v1/events/{event_id}/proof", {"event_id": "e"}, "text/plain", "text/plain"),
        ("/api/v1/chains/{chain}/checkpoint", {"chain": "main"}, "*/*", "text/plain"),
        ("/api/v1/chains/{chain}/tlog/checkpoint", {"chain": "main"}, "*/*", "text/plain"),
        (
            "/api/v1/chains/{chain}/tlog/tile/{level}/{tile}",
            {"chain": "main", "level": "0", "tile": "000.p/1"},
            "*/*",
            "application/octet-stream",
        ),
        ("/api/v1/export", {}, "*/*", "application/x-ndjson"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_evidence_is_in_the_document_as_it_comes(
    document: BaseSchema, path: str, values: dict[str, str], accept: str, kind: str
) -> None:
    answer = TestClient(document.app).get(path.format(**values), headers={"accept": accept})
    documented = document.raw_schema["paths"][path]["get"]["responses"]["200"]["content"]
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, kind)
    assert kind in documented


def test_every_route_is_in_the_document(document: BaseSchema) -> None:
    found = [f"{method.upper()} {path}" for path, methods in document.items() for method in methods]
    assert sorted(found) == sorted([*ROUTES, STREAM])


def test_the_live_stream_is_in_the_document_with_all_it_takes(document: BaseSchema) -> None:
    entry = document.raw_schema["paths"]["/api/v1/events/stream"]["get"]
    assert list(entry["responses"]["200"]["content"]) == ["text/event-stream"]
    taken = {(parameter["in"], parameter["name"]): parameter["schema"] for parameter in entry["parameters"]}
    assert set(taken) == {
        *(("query", name) for name in ("chain", "event_type", "source_id", "key", "from_seq")),
        ("header", "Last-Event-ID"),
    }
    assert taken["query", "event_type"]["maxItems"] == taken["query", "source_id"]["maxItems"] == 20
    assert {"422", "503"} < set(entry["responses"])
    refused = TestClient(document.app).get("/api/v1/events/stream", headers={"last-event-id": "x"})
    assert refused.status_code == 422
