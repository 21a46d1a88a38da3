"""No answer is longer than what Lambda returns, whatever is stored: measured as AWS's runtime client writes it."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from awslambdaric.lambda_runtime_marshaller import to_json  # type: ignore[import-untyped]
from bson import DatetimeMS, Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.fields import MAX_PAYLOAD
from eventlog.formats.bundle_check import verify_bundle
from eventlog.http import answers
from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, connect, operations_of
from tests.infrastructure.invoke import Context
from tests.support.access import ROUTERS
from tests.support.anchoring import KEY, put_anchor
from tests.support.callers import by_jwt, gateway_event
from tests.support.event_source import Interpreter
from tests.support.factories import draft

LIMIT = 6_291_556
"""Bytes that Lambda returns at most; its own error message says so."""
HEADERS = 4 << 10
csv.field_size_limit(4 * MAX_PAYLOAD)
PIN = [KEY.verifier("localhost/eventlog")]
ACCEPT = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}
UNITS = {"quotes": '"', "backslashes": "\\", "controls": "\x01", "delete": "\x7f", "emoji": "😀", "umlauts": "ü"}
"""What grows as a string in JSON. A payload of one is as long as a payload may be."""


def length(answer: dict[str, Any]) -> int:
    """As AWS's runtime client writes it: in ASCII up to Python 3.11, and in UTF-8 after it; the longer of the two."""
    with pytest.MonkeyPatch.context() as patch:
        lengths = []
        for runtime in ("AWS_Lambda_python3.11", "AWS_Lambda_python3.13"):
            patch.setenv("AWS_EXECUTION_ENV", runtime)
            lengths.append(len(to_json(answer).encode()))
    return max(lengths)


class Log:
    """All functions' routes behind one Lambda handler."""

    def __init__(self, uri: str, database: str) -> None:
        app = create_app(
            *ROUTERS,
            title="answers",
            settings=Settings(mongo_uri=uri, mongo_database=database, EVENTLOG_STREAM_SECONDS=5.0),
        )
        self.store: MongoStore = app.state.connection.log
        self.close: Callable[[], None] = app.state.connection.close
        self._handler: Any = lambda_handler(app)

    def answer(self, path: str, params: dict[str, Any], **headers: str) -> dict[str, Any]:
        """The proxy response to a GET, which is of a length that Lambda returns."""
        caller = by_jwt(sub="x", scope="events:read")
        event = gateway_event("GET", f"/api/v1{path}", caller, params=params, headers=headers, content=b"")
        found: dict[str, Any] = self._handler(event, Context(1))
        assert length(found) <= answers.BODY_BYTES + HEADERS
        return found

    def get(self, path: str, params: dict[str, Any], **headers: str) -> dict[str, Any]:
        found = self.answer(path, params, **headers)
        assert (found["statusCode"], found["isBase64Encoded"]) == (200, False), found["body"][:1000]
        return found

    def pages(self, kind: str, params: dict[str, Any]) -> Iterator[list[tuple[str, str]]]:
        """Id and payload of each event, page by page."""
        cursor: dict[str, str] = {}
        while True:
            found = self.get("/events", params | cursor, accept=ACCEPT[kind])
            body = found["body"]
            if kind == "csv":
                rows = csv.DictReader(io.StringIO(body, newline=""))
                yield [(row["event_id"], row["payload"]) for row in rows]
            else:
                shown = json.loads(body)["events"] if kind == "json" else map(json.loads, body.split("\n")[:-1])
                yield [(event["event_id"], json.dumps(event["payload"], sort_keys=True)) for event in shown]
            following = json.loads(body)["next_cursor"] if kind == "json" else found["headers"].get("next-cursor")
            if following is None:
                return
            cursor = {"cursor": following}

    def bundle(self, chain: str) -> bytes:
        """All parts of the export of a chain."""
        whole, start = b"", 0
        while True:
            part: bytes = self.get("/export", {"chain": chain, "from_seq": start})["body"].encode()
            whole += part
            following = json.loads(part.splitlines()[-1])["end"]["next_seq"]
            if following is None:
                return whole
            start = following

    def streamed(self, chain: str, count: int) -> list[str]:
        """The ids of so many events, as a live stream gives them."""
        seen: list[str] = []
        last = {"last-event-id": "-1"}
        while len(seen) < count:
            source = Interpreter()
            source.feed(self.get("/events/stream", {"chain": chain}, **last)["body"])
            seen += [json.loads(one.data)["event_id"] for one in source.messages if one.type == "message"]
            last = {"last-event-id": source.last_id}
        return seen


@pytest.fixture(scope="module")
def log(mongo_uri: str) -> Iterator[Log]:
    """A chain with five events of each kind of payload that grows, each as large as one may be."""
    name = f"test_{uuid4().hex[:12]}"
    made = Log(mongo_uri, name)
    for kind, unit in UNITS.items():
        room = MAX_PAYLOAD - len('{"q":""}')
        text = unit * (room // len(json.dumps(unit, ensure_ascii=False).encode()[1:-1]))
        made.store.append("main", [draft(f"{kind}-{n}", payload={"q": text}) for n in range(5)])
    made.store.append("main", [draft(f"empty-{n}", payload={"q": [""] * 87_000}) for n in range(5)])
    made.store.settle("main")
    put_anchor(made.store)
    yield made
    made.close()
    with connect(mongo_uri) as client:
        client.drop_database(name)


EARLIER = "2023-11-14T21:56:42Z"
IDS = [f"{kind}-{n}" for kind in (*UNITS, "empty") for n in range(5)]


def test_what_may_be_stored_alone_fits_into_an_answer() -> None:
    assert 6 * (MAX_PAYLOAD + (16 << 10)) < answers.BODY_BYTES < LIMIT - HEADERS


def test_pages_exports_and_streams_of_payloads_that_grow_end_early_and_go_on(log: Log) -> None:
    for kind in ACCEPT:
        for order in ({"sort": "seq"}, {"order": "desc"}):
            found = list(log.pages(kind, {"limit": 1000} | order))
            assert len(found) > 2
            shown = [event_id for page in found for event_id, _ in page]
            assert (sorted(shown) if "order" in order else shown) == (sorted(IDS) if "order" in order else IDS)
    (*_, last) = verify_bundle(log.bundle("main").splitlines(keepends=True), PIN).parts
    assert last.next_seq is None
    assert log.streamed("main", len(IDS)) == IDS


@pytest.mark.parametrize("of", ["", "/receipt", "/proof"])
def test_one_event_of_any_kind_is_returned(log: Log, of: str) -> None:
    for kind in (*UNITS, "empty"):
        assert log.get(f"/events/{kind}-0{of}", {})["statusCode"] == 200


OTHERS: dict[str, dict[str, Any]] = {
    "/chains/main": {},
    "/chains/main/root": {},
    "/chains/main/consistency": {"first": 3, "second": len(IDS)},
    "/chains/main/checkpoint": {},
    "/chains/main/tlog/checkpoint": {},
    "/chains/main/tlog/tile/0/000.p/35": {},
    "/chains/main/tlog/tile/entries/000.p/35": {},
    "/stats": {"by": "source_id", "bucket": 1, "start_time": EARLIER, "end_time": "2023-11-14T22:13:21Z"},
    "/health": {},
}


def test_all_other_answers_fit_too(log: Log) -> None:
    for number in range(14):
        source = '😀"\\' * 80 + f"{number:02}"
        log.store.append("main-2", [draft(chain="main-2", source_id=source, timestamp=1_700_000_000_000 - number)])
    for path, params in OTHERS.items():
        for chain in ("main", "main-2") if path == "/stats" else (None,):
            given = params | ({"chain": chain} if chain else {})
            assert log.answer(path, given)["statusCode"] == 200, path


texts = st.text(st.sampled_from('"\\\x00\x1f\x7f\n\u2028üaあ😀'), min_size=5, max_size=40)


@given(st.lists(st.tuples(texts, st.integers(10, 40)), min_size=5, max_size=12))
@settings(max_examples=20, deadline=None)
def test_any_payloads_fit_and_each_is_shown_once(log: Log, chosen: list[tuple[str, int]]) -> None:
    chain = f"c{uuid4().hex}"
    payloads = [{"t": text * times} for text, times in chosen]
    log.store.append(chain, [draft(f"e{n}", chain=chain, payload=one) for n, one in enumerate(payloads)])
    log.store.settle(chain)
    put_anchor(log.store, chain=chain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "BODY_BYTES", 24 << 10)
        for kind in ACCEPT:
            pages = list(log.pages(kind, {"chain": chain, "sort": "seq", "limit": 1000}))
            assert [json.loads(text) for page in pages for _, text in page] == payloads
        bundle = log.bundle(chain)
    assert verify_bundle(bundle.splitlines(keepends=True), [KEY.verifier("localhost/eventlog", chain)]).events


@pytest.fixture
def lists(log: Log) -> Iterator[None]:
    """Chains and reports whose texts nobody should have written."""
    operations = operations_of(log.store)
    long = '"' * 1_000_000
    sequence = operations.sequences.find_one({"_id": "main"}) or {}
    chains = [sequence | {"_id": f"x{n}", "origin": long} for n in range(5)]
    report = {"chain": "main", "mode": "full", "status": "intact", "from_seq": Int64(0), "to_seq": Int64(0)}
    report |= {"events_checked": Int64(0), "finished_at": None, "findings": [], "findings_total": Int64(0)}
    reports = [
        report | {"_id": str(uuid4()), "started_at": DatetimeMS(1), "incomplete_because": long} for _ in range(5)
    ]
    operations.sequences.insert_many(chains)
    operations.audits.insert_many(reports)
    yield
    operations.sequences.delete_many({"_id": {"$in": [chain["_id"] for chain in chains]}})
    operations.audits.delete_many({})


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize(
    ("path", "name", "going_on", "count"), [("/chains", "chains", "after", 6), ("/audits", "audits", "before", 5)]
)
def test_lists_end_early_and_go_on(log: Log, path: str, name: str, going_on: str, count: int) -> None:
    shown: list[str] = []
    rest: dict[str, str] = {}
    while True:
        found = json.loads(log.get(path, {"limit": 100} | rest)["body"])
        shown += [one.get("audit_id", one["chain"]) for one in found[name]]
        if found["next"] is None:
            break
        rest = {going_on: found["next"]}
    assert len(set(shown)) == len(shown) >= count


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/events", "application/json"), ("/events", "text/csv"), ("/events/huge", "*/*"), ("/events/stream", "*/*")],
)
def test_what_no_append_stores_is_answered_by_a_problem_that_says_so(log: Log, path: str, accept: str) -> None:
    if log.store.get("odd", "huge") is None:
        log.store.append("odd", [draft("huge", chain="odd", payload={"q": '"' * 4_000_000})])
    found = log.answer(path, {"chain": "odd"}, accept=accept, **{"last-event-id": "-1"})
    assert (found["statusCode"], found["headers"]["content-type"]) == (500, "application/problem+json")
    assert "larger than anything an append stores" in json.loads(found["body"])["detail"]
