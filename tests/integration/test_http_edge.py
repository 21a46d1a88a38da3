"""What holds for every route, on a server and behind API Gateway: headers, HEAD, Accept, content codings."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from eventlog.http.edge import DEFAULTS
from eventlog.settings import Settings
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.store import connect, open_log
from eventlog.streams.streams import Streams
from local.limits import Crowded, Limits
from local.server import build_app
from tests.support.access import (
    API,
    EVENT,
    ROUTES,
    SAMPLES,
    STREAM,
    Answer,
    Grant,
    Sample,
    ThroughGateway,
    Way,
    WithTokens,
    governing,
    order_some,
)
from tests.support.anchoring import put_anchor, put_heads
from tests.support.serving import served
from tools.package_check.template import read

JSON, NDJSON, CSV, TEXT = "application/json", "application/x-ndjson", "text/csv", "text/plain"
CHAIN, MISSING = "own.a", "missing.a"
ANYBODY = Grant(name="anybody")
NOTHING = Grant(frozenset(), name="nothing")
ALL = SAMPLES | {f"GET {STREAM}": Sample(STREAM, params={"chain": "{chain}", "from_seq": 0}, missing=None)}
GETS = sorted(route for route in ALL if route.startswith("GET "))
POSTS = sorted(route for route in ALL if route.startswith("POST "))
TILE = "GET /api/v1/chains/{chain}/tlog/tile/{level}/{tile:path}"
KEPT = {
    TILE: "private, max-age=31536000, immutable",
    "GET /api/v1/chains/{chain}/checkpoint": "no-cache",
    "GET /api/v1/chains/{chain}/tlog/checkpoint": "no-cache",
}
"""What may be kept: a tile for ever, a checkpoint if the log is asked whether it is still the newest."""
PAGES = ("/", "/dashboard/main.js", "/docs")
"""Files for browsers, which are asked for again with their tag."""
VARY = {"GET /api/v1/events", "GET /api/v1/events/{event_id}/proof"}
"""Routes that choose what they answer in by ``Accept``."""
TEMPLATE = read(Path(__file__).parents[2] / "template.yaml").written
CORS = TEMPLATE["Resources"]["HttpApi"]["Properties"]["CorsConfiguration"]["Fn::If"][1]
SAFELISTED = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified"}
"""Headers of an answer that a page of another origin may read unasked (Fetch standard)."""
FOR_BROWSERS = {"allow", "date", "server", "vary", "x-accel-buffering", "x-content-type-options"}
"""Headers that mean something to browsers and proxies, or to people, and nothing to a page's script."""


@pytest.fixture(scope="module")
def settings(mongo_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    name = f"test_{uuid4().hex[:12]}"
    plain = Settings(mongo_uri=mongo_uri, mongo_database=name, EVENTLOG_STREAM_SECONDS=5.0)
    yield governing(plain, tmp_path_factory.mktemp("governing"))
    with connect(mongo_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def ways(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Way]]:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.json"
    gateway, server = ThroughGateway(settings), WithTokens(settings, tokens, [ANYBODY, NOTHING])
    yield {"gateway": gateway, "server": server}
    for way in (gateway, server):
        way.app.state.connection.close()


@pytest.fixture(scope="module")
def audit(ways: dict[str, Way], settings: Settings, mongo_uri: str) -> str:
    """Fills the log; the id of an audit."""
    events = [EVENT | {"chain": CHAIN, "event_id": "e"}, EVENT | {"chain": CHAIN}]
    assert ways["gateway"].call("POST", Sample(f"{API}/events/batch", json=events), ANYBODY).status == 201
    answer = ways["gateway"].call("POST", SAMPLES["POST /api/v1/audits"].about(CHAIN), ANYBODY)
    with connect(mongo_uri) as client:
        store = open_log(client, settings.mongo_database, settings.origin)
        put_heads(store, put_anchor(store, chain=CHAIN, size=2))
    order_some(ways["gateway"], CHAIN, ANYBODY)
    return str(answer.json()["audit_id"])


def answers(way: Way, name: str, route: str, audit: str) -> Iterator[tuple[str, Answer]]:
    """Answers of a route, good and bad, each with what it is."""
    method, sample = route.partition(" ")[0], ALL[route].about(CHAIN, audit)
    if not (name == "server" and sample.path == STREAM):  # which would not end
        yield "good", way.call(method, sample, ANYBODY)
    yield "no caller", way.call(method, sample, None)
    yield "no scope", way.call(method, sample, NOTHING)
    yield "no such method", way.call("DELETE", sample, ANYBODY)
    yield "no such route", way.call(method, Sample(f"{sample.path}/nowhere/at/all"), ANYBODY)
    yield "two readings", way.call(method, Sample(f"{sample.path}//x"), ANYBODY)
    if method == "POST" and sample.json is None:  # an approval, which has no body
        yield "compressed", way.call(method, sample, ANYBODY, **{"content-encoding": "gzip"})
    elif method == "POST":
        yield "malformed", way.call(method, Sample(sample.path), ANYBODY, **{"content-type": "application/json"})
        yield "no media type", way.call(method, Sample(sample.path), ANYBODY, **{"content-type": "a/b"})
        yield "compressed", way.call(method, sample, ANYBODY, **{"content-encoding": "gzip"})
    elif sample.missing:
        missing = ALL[route].about(MISSING, "00000000-0000-7000-8000-000000000000")
        yield "missing", way.call(method, missing, ANYBODY)
    if route in VARY:
        yield "not acceptable", way.call(method, sample, ANYBODY, accept="image/png")
        yield "bad parameter", way.call(method, Sample(sample.path, params={"chian": "x"}), ANYBODY)


def test_every_answer_says_how_it_may_be_kept_and_what_it_is(ways: dict[str, Way], audit: str) -> None:
    seen: dict[str, set[int]] = {}
    for name, way in ways.items():
        for route in ALL:
            for what, answer in answers(way, name, route, audit):
                case = (name, route, what, answer.status)
                good = what == "good"
                assert (answer.status < 300) == good, case
                assert answer.headers["x-content-type-options"] == "nosniff", case
                assert answer.headers["cache-control"] == (KEPT.get(route, "no-store") if good else "no-store"), case
                found = what not in {"no such method", "no such route", "two readings"}
                assert answer.headers.get("vary") == ("Accept" if found and route in VARY else None), case
                if answer.status == 415 and what == "compressed":
                    assert answer.headers["accept-encoding"] == "identity", case
                    assert pointers(answer) == ["/header/content-encoding"], case
                unread = answer.headers.keys() - SAFELISTED - FOR_BROWSERS
                assert unread <= set(CORS["ExposeHeaders"]), case
                seen.setdefault(what, set()).add(answer.status)
    assert {status for statuses in seen.values() for status in statuses} >= {
        200,
        201,
        400,
        401,
        403,
        404,
        405,
        406,
        415,
    }
    assert seen["not acceptable"] == {406}


def test_head_is_get_without_a_body(ways: dict[str, Way], audit: str) -> None:
    """With the same status and headers, but for the length that behind the gateway would not be that of the body."""
    for name, way in ways.items():
        for route in GETS:
            heads = dict(answers(AsHead(way), name, route, audit))
            for what, get in answers(way, name, route, audit):
                if what in {"good", "no caller", "missing", "not acceptable", "no such route"}:
                    head = heads[what]
                    changing = {"x-correlation-id", *(("content-length",) if name == "gateway" else ())}
                    case = (name, route, what)
                    assert head.body == b"", case
                    assert (head.status, without(head, changing)) == (get.status, without(get, changing)), case
    with patch.object(
        Streams, "reader", side_effect=StoreUnavailableError("away")
    ):  # told to an EventSource in a frame
        for name, way in ways.items():
            get, head = (way.call(one, Sample(STREAM), ANYBODY, accept="text/event-stream") for one in ("GET", "HEAD"))
            changing = {"x-correlation-id", "content-length"}
            assert (head.status, head.body, without(head, changing)) == (200, b"", without(get, changing)), name
            assert "content-length" not in head.headers, name
    for name, way in ways.items():
        refused = way.call("DELETE", ALL["GET /api/v1/health"], ANYBODY)
        assert refused.headers["allow"] == "GET, HEAD", name
        assert way.call("DELETE", ALL["GET /api/v1/events"], ANYBODY).headers["allow"] == "GET, HEAD, POST", name


class AsHead:
    """A way that asks HEAD where GET is meant."""

    def __init__(self, way: Way) -> None:
        self._way = way

    def call(self, method: str, sample: Sample, grant: Grant | None, **headers: str) -> Answer:
        return self._way.call("HEAD" if method == "GET" else method, sample, grant, **headers)


def without(answer: Answer, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in names}


def test_head_of_a_stream_ends_and_what_is_asked_next_on_the_connection_is_answered(settings: Settings) -> None:
    """On a real connection: an answer with a body, or one that went on, would be the beginning of the next one."""
    app = build_app(settings)
    with served(app) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        for path in (*PAGES, "/openapi.json", "/nowhere", STREAM, f"{API}/export?chain={CHAIN}"):
            connection.request("HEAD", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (404 if path == "/nowhere" else 200, b""), path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["cache-control"] == ("no-cache" if path in PAGES else "no-store"), path
            connection.request("GET", f"{API}/health")
            assert connection.getresponse().read() == b'{"status":"ok"}', path
        connection.close()
    app.state.connection.close()


def test_what_a_server_refuses_by_itself_says_the_same(settings: Settings) -> None:
    app = build_app(settings)
    with closing(app.state.connection):
        full = Crowded(app, Limits(connections=1), lambda: 2)
        for client in (
            TestClient(app, base_url="http://rebound.example"),
            TestClient(full, base_url="http://localhost"),
        ):
            answer = client.get("/")
            assert answer.status_code in (421, 503)
            assert {name: answer.headers.get(name) for name in DEFAULTS} == DEFAULTS


PREFERRED: dict[str, tuple[str | None, str | None]] = {
    "": (JSON, JSON),
    "text/csv;q=0, application/json": (JSON, JSON),
    "application/json;q=0.1, text/csv": (CSV, JSON),
    "application/json;q=0.1, text/plain": (JSON, TEXT),
    "text/*;q=0.2, application/*;q=0.1": (CSV, TEXT),
    "application/x-ndjson, text/plain;q=0.9, application/json;q=0.8": (NDJSON, TEXT),
    "image/png, */*;q=0.1": (JSON, JSON),
    "text/plain": (None, TEXT),
    "image/png": (None, None),
    "*/*;q=0": (None, None),
}
"""What ``Accept`` says, and what a page of events and a proof are answered in; None: 406."""


def test_a_route_answers_in_the_type_that_is_preferred(ways: dict[str, Way], audit: str) -> None:
    for name, way in ways.items():
        for accept, chosen in PREFERRED.items():
            for route, expected in zip(sorted(VARY), chosen, strict=True):
                answer = way.call("GET", ALL[route].about(CHAIN, audit), ANYBODY, accept=accept)
                given = answer.headers["content-type"].partition(";")[0]
                if expected is None:
                    assert (answer.status, JSON in answer.problem[1]) == (406, True), (name, route, accept)
                else:
                    assert (answer.status, given) == (200, expected), (name, route, accept)


CODINGS = {"gzip": 415, "br": 415, "identity, gzip": 415, "GZIP": 415, "": 200, "Identity": 200}


def test_a_body_that_is_compressed_is_refused_with_what_would_be_taken(ways: dict[str, Way]) -> None:
    for name, way in ways.items():
        for route in POSTS:
            sample = ALL[route].about(CHAIN)
            for coding, status in CODINGS.items():
                answer = way.call("POST", sample, ANYBODY, **{"content-encoding": coding})
                assert (415 if answer.status == 415 else 200) == status, (name, route, coding, answer.status)
                assert answer.headers.get("accept-encoding") == ("identity" if status == 415 else None)


def pointers(answer: Answer) -> list[str]:
    return [error["pointer"] for error in answer.json()["errors"]]


def test_there_is_an_answer_of_every_route() -> None:
    assert sorted(ALL) == sorted([*ROUTES, f"GET {STREAM}"])
