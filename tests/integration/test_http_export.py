"""Evidence bundles over HTTP, verified by the formats alone with a pinned key: by seq, by time, in parts, damaged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from eventlog.formats.bundle_check import BundleReport, verify_bundle
from eventlog.formats.errors import EvidenceError
from eventlog.formats.times import format_time
from eventlog.http import answers
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.export import BrokenOffError
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from functions.query.app import routers
from tests.infrastructure.invoke import Context
from tests.integration.conftest import MakeApi
from tests.support.anchoring import KEY, put_anchor
from tests.support.factories import draft

EXPORT = "/api/v1/export"
PIN = [KEY.verifier("localhost/eventlog")]
START = 1_700_000_000_000
SETTLED, SIZE, COUNT = 1200, 1230, 1250
"""Of 1,250 events 1,200 are settled, and the checkpoint covers 1,230."""


def store_of(api: TestClient) -> MongoStore:
    found: MongoStore = api.app.state.connection.log  # type: ignore[attr-defined]
    return found


def timestamp(n: int) -> int:
    """Times go back and forth: events of one minute are scattered over the whole chain."""
    return START + n * 37 % 101 * 1000


@pytest.fixture(scope="module")
def full(make_api: MakeApi, mongo_uri: str) -> Iterator[TestClient]:
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        store = store_of(api)
        drafts = [draft(f"e{n}", timestamp=timestamp(n), payload={"n": n, "x": 1e16, "ü": "é"}) for n in range(COUNT)]
        for first in range(0, SETTLED, 400):
            store.append("main", drafts[first : first + 400])
        store.settle("main")
        assert operations_of(store).push("main", [found.entry for found in drafts[SETTLED:]], None) is not None
        put_anchor(store, SIZE)
        yield api
    with connect(mongo_uri) as client:
        client.drop_database(name)


def get(api: TestClient, **parameters: Any) -> bytes:
    answer = api.get(EXPORT, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return answer.content


def verified(bundle: bytes) -> BundleReport:
    return verify_bundle(bundle.splitlines(keepends=True), PIN)


def seqs(bundle: bytes) -> list[int]:
    lines = [json.loads(line) for line in bundle.splitlines()]
    return [line["event"]["seq"] for line in lines if "event" in line]


RANGES = [
    ({}, (0, SIZE)),
    ({"from_seq": 0, "to_seq": SIZE}, (0, SIZE)),
    ({"from_seq": 100}, (100, SIZE)),
    ({"to_seq": 1}, (0, 1)),
    ({"from_seq": 37, "to_seq": 900}, (37, 900)),
    ({"from_seq": 1190, "to_seq": 1210}, (1190, 1210)),
    ({"from_seq": 1201, "to_seq": 1202}, (1201, 1202)),
    ({"from_seq": 64, "to_seq": 64}, (64, 64)),
    ({"from_seq": SIZE}, (SIZE, SIZE)),
]


@pytest.mark.parametrize(("parameters", "complete"), RANGES, ids=str)
def test_a_range_of_seqs_verifies_as_complete(
    full: TestClient, parameters: dict[str, int], complete: tuple[int, int]
) -> None:
    bundle = get(full, **parameters)
    (part,) = verified(bundle).parts
    assert seqs(bundle) == list(range(*complete))
    assert (part.complete, part.checkpoint.size, part.next_seq) == (complete, SIZE, None)


TIMES = [(None, None), (0, None), (20, 21), (20, 60), (None, 5), (90, None), (20, 20), (1000, None)]


@pytest.mark.parametrize(("start", "end"), TIMES[1:])
def test_a_range_of_times_has_its_events_and_no_other(full: TestClient, start: int | None, end: int | None) -> None:
    bounds = {"start_time": start, "end_time": end}
    bundle = get(full, **{name: format_time(START + at * 1000) for name, at in bounds.items() if at is not None})
    (part,) = verified(bundle).parts
    inside = [n for n in range(SIZE) if START + (start or 0) * 1000 <= timestamp(n) < START + (end or 9999) * 1000]
    assert seqs(bundle) == inside
    assert (part.complete, part.events) == (None, len(inside))


def test_a_range_of_times_goes_on_at_a_seq(full: TestClient) -> None:
    bundle = get(full, start_time=format_time(START), end_time=format_time(START + 9000), from_seq=700)
    assert verified(bundle).events
    assert seqs(bundle) == [n for n in range(700, SIZE) if timestamp(n) < START + 9000]


def test_an_event_in_a_bundle_is_the_event_that_the_api_shows(full: TestClient) -> None:
    shown = full.get("/api/v1/events/e41").content
    assert b'{"event":' + shown + b"}\n" in get(full, from_seq=41, to_seq=42)


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"from_seq": SIZE + 1}, "/query/from_seq"),
        ({"to_seq": SIZE + 1}, "/query/to_seq"),
        ({"from_seq": 5, "to_seq": 4}, "/query/to_seq"),
        ({"to_seq": 4, "start_time": "2026-01-01T00:00:00Z"}, "/query/to_seq"),
        ({"from_seq": SIZE + 1, "start_time": "2026-01-01T00:00:00Z"}, "/query/from_seq"),
        ({"from_seq": -1}, "/query/from_seq"),
        ({"start_time": "yesterday"}, "/query/start_time"),
        ({"chain": "Main"}, "/query/chain"),
    ],
    ids=str,
)
def test_a_selection_that_cannot_be_is_refused(full: TestClient, parameters: dict[str, Any], pointer: str) -> None:
    answer = full.get(EXPORT, params=parameters)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_bundle_needs_a_checkpoint(api: TestClient) -> None:
    assert "no chain main" in api.get(EXPORT).json()["detail"]
    store_of(api).append("main", [draft()])
    answer = api.get(EXPORT)
    assert (answer.status_code, "no checkpoint of chain main" in answer.json()["detail"]) == (404, True)


@pytest.mark.parametrize("change", ["payload", "deletion", "gap", "end"])
def test_a_bundle_that_was_changed_on_its_way_does_not_verify(full: TestClient, change: str) -> None:
    lines = get(full, from_seq=40, to_seq=50).splitlines(keepends=True)
    if change == "payload":
        lines[4] = lines[4].replace(b'"n":42', b'"n":43')
    elif change == "deletion":
        del lines[4]
    elif change == "gap":
        lines[1] = lines[1].replace(b'"hashes":["', b'"hashes":["0', 1).replace(b'",', b'",', 1)
    else:
        lines.pop()
    with pytest.raises(EvidenceError):
        verify_bundle(lines, PIN)


def test_a_bundle_that_another_key_signed_does_not_verify(full: TestClient) -> None:
    other = [type(KEY)(2).verifier("localhost/eventlog")]
    with pytest.raises(EvidenceError, match="not signed by a key that is known here"):
        verify_bundle(get(full, to_seq=1).splitlines(keepends=True), other)


@pytest.fixture
def signed(api: TestClient) -> TestClient:
    """Forty settled events under a checkpoint."""
    store_of(api).append("main", [draft(f"e{n}", timestamp=START + n) for n in range(40)])
    store_of(api).settle("main")
    put_anchor(store_of(api))
    return api


def test_what_was_edited_in_the_database_does_not_verify(signed: TestClient) -> None:
    operations_of(store_of(signed)).events.update_one({"chain": "main", "seq": 5}, {"$set": {"payload": '{"n":2}'}})
    with pytest.raises(EvidenceError, match="event 5: payload_hash"):
        verified(get(signed))


def broken_off(api: TestClient, **parameters: Any) -> str:
    """Why an export broke off, after its beginning was sent, as the server knows it; what came can't be verified."""
    with pytest.raises(BrokenOffError) as broken:
        api.get(EXPORT, params=parameters)
    with TestClient(api.app, raise_server_exceptions=False) as client:
        answer = client.get(EXPORT, params=parameters)
    assert answer.content.startswith(b'{"format":"eventlog-bundle/v1"')
    with pytest.raises(EvidenceError, match=r"cut off|is not the hash of"):
        verified(answer.content)
    return str(broken.value)


@pytest.mark.parametrize("parameters", [{}, {"from_seq": 3}, {"end_time": format_time(START + 9)}], ids=str)
def test_an_event_that_was_removed_breaks_the_stream_off(signed: TestClient, parameters: dict[str, Any]) -> None:
    operations_of(store_of(signed)).events.delete_one({"chain": "main", "seq": 6})
    assert "missing" in broken_off(signed, **parameters)


def test_the_last_event_of_a_selection_is_missed_too(signed: TestClient) -> None:
    operations_of(store_of(signed)).events.delete_one({"chain": "main", "seq": 6})
    assert "missing" in broken_off(signed, to_seq=7)


def test_an_event_that_was_forged_with_its_hash_breaks_the_stream_off(signed: TestClient) -> None:
    operations_of(store_of(signed)).events.update_one({"chain": "main", "seq": 6}, {"$set": {"hash": bytes(32)}})
    assert "don't make the tree of its checkpoint" in broken_off(signed)


def test_an_event_of_another_shape_breaks_the_stream_off(signed: TestClient) -> None:
    operations_of(store_of(signed)).events.update_one({"chain": "main", "seq": 6}, {"$unset": {"payload": 1}})
    assert "payload is missing" in broken_off(signed)


class Lambda:
    """The query function behind API Gateway."""

    def __init__(self, api: TestClient) -> None:
        settings: Settings = api.app.state.connection.settings  # type: ignore[attr-defined]
        self._handler: Any = lambda_handler(create_app(*routers, title="query", settings=settings))
        path = Path(__file__).parents[2] / "events" / "get-export.json"
        self._event = json.loads(path.read_text(encoding="utf-8"))

    def get(self, query: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._handler(self._event | {"rawQueryString": query}, Context(1))
        return answer


@pytest.mark.parametrize("query", ["from_seq=10&to_seq=1230", "start_time=2023-11-14T22:13:40Z"])
def test_behind_lambda_a_bundle_comes_in_parts_that_verify_alone_and_together(
    full: TestClient, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = get(full, **dict(pair.split("=") for pair in query.split("&")))
    monkeypatch.setattr(answers, "BODY_BYTES", 100_000)
    behind, parts, go_on = Lambda(full), b"", query
    for _ in range(100):
        answer = behind.get(go_on)
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
        part = answer["body"].encode()
        assert len(json.dumps(part.decode())) < 100_000
        parts += part
        (report,) = verified(part).parts
        if report.next_seq is None:
            break
        rest = "&".join(pair for pair in query.split("&") if not pair.startswith("from_seq"))
        go_on = f"{rest}&from_seq={report.next_seq}"
    assert seqs(parts) == seqs(whole)
    assert len(verified(parts).parts) > 2


def test_behind_lambda_a_part_is_nearly_as_long_as_an_answer_may_be(api: TestClient) -> None:
    store = store_of(api)
    for _ in range(2):
        store.append("main", [draft(payload={"x": "a" * 250_000}) for _ in range(14)])
    store.settle("main")
    put_anchor(store)
    first = Lambda(api).get("")["body"].encode()
    assert answers.BODY_BYTES - (1 << 18) - (1 << 15) < len(json.dumps(first.decode())) <= answers.BODY_BYTES
    (part,) = verified(first).parts
    assert part.next_seq is not None
    second = Lambda(api).get(f"from_seq={part.next_seq}")["body"].encode()
    assert seqs(first + second) == list(range(28))
    assert verified(first + second).events == 28


def test_behind_lambda_a_failure_on_the_way_is_an_error(signed: TestClient) -> None:
    operations_of(store_of(signed)).events.delete_one({"chain": "main", "seq": 6})
    assert Lambda(signed).get("")["statusCode"] == 500
