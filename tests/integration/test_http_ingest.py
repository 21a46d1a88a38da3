"""Ingest over HTTP: receipts, replays, conflicts, batches, and payloads that come back as they were sent."""

import json
import os
import struct
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson
import pytest
import rfc8785
from starlette.testclient import TestClient

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
NDJSON = {"content-type": "application/x-ndjson"}
RECEIPT = {"event_id", "chain", "seq", "timestamp", "received_at", "content_hash", "prev_hash", "hash"}
MAX_PAYLOAD = 256 << 10


def event(**fields: Any) -> dict[str, Any]:
    return {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {"n": 1}} | fields


def found(api: TestClient, receipt: dict[str, Any]) -> dict[str, Any]:
    answer = api.get(f"{EVENTS}/{receipt['event_id']}", params={"chain": receipt["chain"]})
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


def size(api: TestClient, chain: str = "main") -> int:
    return int(api.get(f"/api/v1/chains/{chain}").json()["size"])


def test_an_append_answers_201_with_the_receipt_and_where_the_event_is(api: TestClient) -> None:
    sent = event(event_id="a:1~x", chain="shop.eu", timestamp="2026-11-23T13:00:00.1239+01:00")
    answer = api.post(EVENTS, json=sent)
    receipt = answer.json()
    assert answer.status_code == 201
    assert set(receipt) == RECEIPT
    assert (receipt["event_id"], receipt["chain"], receipt["seq"]) == ("a:1~x", "shop.eu", 0)
    assert receipt["timestamp"] == "2026-11-23T12:00:00.123Z"
    assert "Idempotent-Replayed" not in answer.headers
    shown = api.get(answer.headers["location"]).json()
    assert {name: shown[name] for name in RECEIPT} == receipt
    assert (shown["event_type"], shown["source_id"], shown["principal"]) == ("t", "s", "anonymous")
    assert shown["payload"] == {"n": 1}


def test_the_hashes_follow_from_what_the_answers_show(api: TestClient) -> None:
    prev = sha256(b"eventlog/v1\nlocalhost/eventlog/main").digest()
    for n in range(5):
        receipt = api.post(EVENTS, json=event(payload={"é": [n, 1e21, -0.0, "\u0000"]})).json()
        shown = found(api, receipt)
        payload_hash = sha256(bytes.fromhex(shown["salt"]) + rfc8785.dumps(shown["payload"])).hexdigest()
        names = ("chain", "event_id", "event_type", "source_id", "timestamp", "received_at", "principal")
        content: dict[str, Any] = {"v": 1, "payload_hash": payload_hash} | {name: shown[name] for name in names}
        content_hash = sha256(rfc8785.dumps(content)).digest()
        digest = sha256(b"\x00" + struct.pack(">Q", n) + prev + content_hash).digest()
        assert shown["payload_hash"] == payload_hash
        assert receipt["seq"] == n
        assert receipt["content_hash"] == content_hash.hex()
        assert receipt["prev_hash"] == prev.hex()
        assert receipt["hash"] == digest.hex()
        prev = digest
    head = api.get("/api/v1/chains/main").json()
    assert (head["size"], head["hash"], head["origin"]) == (5, prev.hex(), "localhost/eventlog")


def test_ids_made_here_are_uuidv7_and_salts_are_fresh(api: TestClient) -> None:
    receipts = api.post(BATCH, json=[event()] * 20).json()["receipts"]
    ids = [UUID(receipt["event_id"]) for receipt in receipts]
    assert {uuid.version for uuid in ids} == {7}
    assert sorted(ids) == ids
    assert len({found(api, receipt)["salt"] for receipt in receipts}) == 20


def test_a_replay_answers_200_with_the_same_receipt(api: TestClient) -> None:
    first = api.post(EVENTS, json=event(event_id="a", payload={"a": 1, "b": 10}))
    api.post(EVENTS, json=event())
    other_form = '{"payload":{"b":1E1, "a":1.0},"event_id":"a","source_id":"s","event_type":"\\u0074","chain":"main"'
    body = other_form + ',"timestamp":"2026-11-23T14:00:00.0009+02:00"}'
    again = api.post(EVENTS, content=body, headers={"content-type": "Application/JSON; charset=UTF-8"})
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert size(api) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"payload": {"n": 2}},
        {"event_type": "u"},
        {"source_id": "S"},
        {"timestamp": "2026-11-23T12:00:00.001Z"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_id_with_other_content_is_409_and_stores_nothing(api: TestClient, other: dict[str, Any]) -> None:
    api.post(EVENTS, json=event(event_id="a"))
    answer = api.post(EVENTS, json=event(event_id="a") | other)
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/event_id"]
    assert size(api) == 1
    assert api.post(EVENTS, json=event(event_id="a", chain="b") | other).status_code == 201


def test_the_chain_of_the_event_goes_before_the_chain_of_the_query(api: TestClient) -> None:
    receipts = [
        api.post(f"{EVENTS}?chain=b", json=event()).json(),
        api.post(f"{EVENTS}?chain=b", json=event(chain="c")).json(),
        api.post(EVENTS, json=event(chain=None, event_id=None)).json(),
        *api.post(f"{BATCH}?chain=b", json=[event(), event(chain="b")]).json()["receipts"],
    ]
    assert [(r["chain"], r["seq"]) for r in receipts] == [("b", 0), ("c", 0), ("main", 0), ("b", 1), ("b", 2)]


def test_a_batch_is_stored_in_its_order(api: TestClient) -> None:
    api.post(EVENTS, json=event())
    sent = [event(payload={"n": n}) for n in range(500)]
    answer = api.post(BATCH, json=sent)
    receipts = answer.json()["receipts"]
    assert answer.status_code == 201
    assert [receipt["seq"] for receipt in receipts] == list(range(1, 501))
    assert all(after["prev_hash"] == before["hash"] for before, after in pairwise(receipts))
    assert [found(api, receipts[n])["payload"] for n in (0, 250, 499)] == [{"n": n} for n in (0, 250, 499)]


def test_ndjson_is_a_batch_too(api: TestClient) -> None:
    lines = [orjson.dumps(event(payload={"n": n})) for n in range(3)]
    body = lines[0] + b"\r\n\n  \n" + lines[1] + b"\n" + lines[2]
    answer = api.post(BATCH, content=body, headers=NDJSON)
    receipts = answer.json()["receipts"]
    assert (answer.status_code, [receipt["seq"] for receipt in receipts]) == (201, [0, 1, 2])
    assert [found(api, receipt)["payload"]["n"] for receipt in receipts] == [0, 1, 2]


def test_a_batch_with_replays_gives_old_receipts_and_contiguous_new_ones(api: TestClient) -> None:
    old = api.post(BATCH, json=[event(event_id="a"), event(event_id="b")])
    mixed = api.post(BATCH, json=[event(event_id="c"), event(event_id="b"), event(event_id="d")])
    assert (old.status_code, mixed.status_code) == (201, 201)
    assert mixed.json()["receipts"][1] == old.json()["receipts"][1]
    assert [receipt["seq"] for receipt in mixed.json()["receipts"]] == [2, 1, 3]
    again = api.post(BATCH, json=[event(event_id="a"), event(event_id="b")])
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == old.json()


def test_a_batch_with_one_conflict_stores_nothing_and_names_the_item(api: TestClient) -> None:
    api.post(BATCH, json=[event(event_id="a"), event(event_id="b")])
    sent = [event(event_id="c"), event(event_id="b"), event(event_id="a", payload={})]
    answer = api.post(BATCH, json=sent)
    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/2/event_id"]
    assert size(api) == 2
    assert api.get(f"{EVENTS}/c").status_code == 404


TRICKY: list[dict[str, Any]] = [
    {"$set": {"a.b": 1}, "$ref": "x", "a.b": {"$where": "1"}, "": {"": ""}},
    {"\u0000": "\u0000", "a\u0000b": ["\u001f", "\u007f", "\u0085", "\u2028"]},
    {"😀": "👩‍👩‍👧", "\ufb33": "דּ", "e\u0301": "é", "é": "e\u0301", "\u20ac": "€"},
    {"n": [0, -0.0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 2**53 - 1, 1 - 2**53, 0.1, 1e16, 100.0]},
    {"v": [None, True, False, [], {}, [[[]]]], "__proto__": {}, "_id": "$_id", "seq": 7},
    {"a": "'\"\\/<>&\b\f\n\r\t"},
]


@pytest.mark.parametrize("payload", TRICKY)
def test_a_payload_comes_back_equal_and_as_canonical_text(api: TestClient, payload: dict[str, Any]) -> None:
    body = json.dumps(event(payload=payload, source_id="$_id", event_type="$type.x"), ensure_ascii=True)
    receipt = api.post(EVENTS, content=body, headers={"content-type": "application/json"}).json()
    text = api.get(f"{EVENTS}/{receipt['event_id']}").text
    assert f'"payload":{rfc8785.dumps(payload).decode()},' in text
    shown = json.loads(text)
    assert shown["payload"] == payload
    assert (shown["source_id"], shown["event_type"]) == ("$_id", "$type.x")
    assert f'"payload":{rfc8785.dumps(payload).decode()},' in api.get(EVENTS).text


def test_every_limit_is_allowed_exactly(api: TestClient) -> None:
    deep: dict[str, Any] = {}
    for _ in range(31):
        deep = {"a": deep}
    allowed: tuple[dict[str, Any], ...] = (
        {"event_type": "é" * 256, "source_id": "😀" * 256},
        {"event_id": "~" * 128, "chain": "0" + "-" * 63},
        {"event_id": "..."},
        {"event_id": "CE-1"},
        {"timestamp": "1970-01-01T00:00:00"},
        {"timestamp": "9999-12-31t23:59:59.999999999z"},
        {"timestamp": "2024-02-29T23:59:59-23:59"},
        {"payload": {}},
        {"payload": deep},
        {"payload": {"x": "a" * (MAX_PAYLOAD - 8)}},
        {"payload": {"n": [2**53 - 1, 1 - 2**53, 1e308, 9007199254740993.0]}},
    )
    for fields in allowed:
        answer = api.post(EVENTS, json=event(**fields))
        assert (answer.status_code, fields) == (201, fields)
        shown = found(api, answer.json())
        assert {name: shown[name] for name in fields if name != "timestamp"} == {
            name: value for name, value in fields.items() if name != "timestamp"
        }


def test_a_batch_of_exactly_4_mib_is_allowed(api: TestClient) -> None:
    large = [event(payload={"x": "a" * (MAX_PAYLOAD - 8 - 200 * 16)})] * 16
    body = orjson.dumps(large)
    answer = api.post(BATCH, content=body.ljust(4 << 20), headers={"content-type": "application/json"})
    assert answer.status_code == 201
    assert len(answer.json()["receipts"]) == 16


def test_health_says_ok(api: TestClient) -> None:
    answer = api.get("/api/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/events/", 404),
        ("GET", "/api/v1/events/nothing", 404),
        ("GET", "/api/v1/chains/nothing", 404),
        ("GET", f"/api/v1/audits/{UUID(int=0)}", 404),
        ("POST", "/api/v2/events", 404),
        ("DELETE", "/api/v1/events", 405),
        ("PUT", "/api/v1/events/a", 405),
        ("POST", "/api/v1/chains", 405),
        ("PATCH", "/api/v1/health", 405),
    ],
)
def test_unknown_routes_and_methods_get_problem_documents(api: TestClient, method: str, path: str, status: int) -> None:
    answer = api.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["status"], answer.json()["errors"]) == (status, [])
    assert ("allow" in answer.headers) == (status == 405)


def test_a_random_body_is_never_a_server_error(api: TestClient) -> None:
    for kind in ("application/json", "application/x-ndjson", "application/cloudevents-batch+json"):
        answer = api.post(BATCH, content=os.urandom(1000), headers={"content-type": kind})
        assert answer.status_code == 400
