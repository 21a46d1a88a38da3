"""CloudEvents over HTTP, sent with the CloudEvents SDK: structured, binary and batch."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from httpx2 import Response
from starlette.testclient import TestClient

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json; charset=utf-8"}
PLAIN = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "t"}
BINARY = {f"ce-{name}": value for name, value in PLAIN.items()}
FORMAT = JSONFormat()

Data = dict[str, Any] | str | bytes | None

DATA: list[tuple[str | None, Data]] = [
    ("application/json", {"a.b": 1, "$set": [None, 1.5, "😀"], "": {}}),
    (None, {"a": 1}),
    ("application/vnd.shop+json", {"a": 1}),
    ("text/plain", "grüße\r\n, 'x'"),
    ("application/octet-stream", bytes(range(256))),
    ("image/png", b"\x89PNG"),
    ("application/json", None),
    (None, None),
]


def cloudevent(data: Data = None, content_type: str | None = None, **attributes: Any) -> CloudEvent:
    fixed: dict[str, Any] = {
        "id": "order-1",
        "source": "//shop.example/orders?x=1#y",
        "type": "com.example.order.paid",
        "time": datetime(2026, 11, 23, 12, 0, 0, 123456, UTC),
        "subject": "order 1",
        "traceparent": "00-abc-def-01",
    }
    if content_type:
        fixed["datacontenttype"] = content_type
    return CloudEvent(fixed | attributes, data)


def post(api: TestClient, message: HTTPMessage) -> Response:
    return api.post(EVENTS, content=message.body, headers=message.headers)


def expected_id(source: str, identifier: str) -> str:
    return "ce-" + sha256(f"{source}\0{identifier}".encode()).hexdigest()[:32]


def stored(api: TestClient, receipt: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = api.get(f"{EVENTS}/{receipt['event_id']}?chain={receipt['chain']}").json()
    return shown


@pytest.mark.parametrize(("content_type", "data"), DATA)
def test_a_structured_event_is_stored_whole(api: TestClient, content_type: str | None, data: Data) -> None:
    message = to_structured(cloudevent(data, content_type), FORMAT)
    answer = post(api, message)
    assert answer.status_code == 201
    shown = stored(api, answer.json())
    assert shown["payload"] == json.loads(message.body)
    assert shown["event_id"] == expected_id("//shop.example/orders?x=1#y", "order-1")
    assert (shown["event_type"], shown["source_id"]) == ("com.example.order.paid", "//shop.example/orders?x=1#y")
    assert shown["timestamp"] == "2026-11-23T12:00:00.123Z"
    again = post(api, message)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == answer.json()


@pytest.mark.parametrize(("content_type", "data"), DATA)
def test_a_binary_event_is_stored_in_its_json_form(api: TestClient, content_type: str | None, data: Data) -> None:
    event = cloudevent(data, content_type)
    message = to_binary(event, FORMAT)
    answer = post(api, message)
    assert answer.status_code == 201
    shown = stored(api, answer.json())
    assert shown["timestamp"] == "2026-11-23T12:00:00.123Z"
    back = FORMAT.read(CloudEvent, json.dumps(shown["payload"]))
    assert back.get_attributes() == event.get_attributes()
    assert back.get_data() == event.get_data()
    again = post(api, message)
    assert (again.status_code, again.json()) == (200, answer.json())


def test_the_same_event_is_a_replay_in_either_mode(api: TestClient) -> None:
    event = cloudevent({"a": 1}, "application/json", time=datetime(2026, 11, 23, 12, tzinfo=UTC))
    first, second = post(api, to_binary(event, FORMAT)), post(api, to_structured(event, FORMAT))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


def test_structured_mode_goes_before_the_headers_it_repeats(api: TestClient) -> None:
    event = cloudevent({"a": 1}, "application/json")
    message = to_structured(event, FORMAT)
    repeated = {name: value for name, value in to_binary(event, FORMAT).headers.items() if name.startswith("ce-")}
    answer = api.post(EVENTS, content=message.body, headers=repeated | message.headers)
    assert stored(api, answer.json())["payload"] == json.loads(message.body)


def test_an_event_without_time_gets_the_time_of_receipt_and_replays(api: TestClient) -> None:
    first = api.post(EVENTS, json=PLAIN, headers=STRUCTURED)
    receipt = first.json()
    assert (first.status_code, receipt["timestamp"]) == (201, receipt["received_at"])
    again = api.post(EVENTS, json=PLAIN, headers=STRUCTURED)
    binary = api.post(EVENTS, headers=BINARY)
    assert [answer.status_code for answer in (again, binary)] == [200, 200]
    assert again.json() == binary.json() == receipt


def test_an_event_with_other_content_is_409(api: TestClient) -> None:
    post(api, to_structured(cloudevent({"a": 1}), FORMAT))
    assert post(api, to_structured(cloudevent({"a": 2}), FORMAT)).status_code == 409
    assert post(api, to_structured(cloudevent({"a": 1}, subject="x"), FORMAT)).status_code == 409
    assert post(api, to_structured(cloudevent({"a": 1}, source="/other"), FORMAT)).status_code == 201


def test_a_batch_is_stored_in_its_order_with_replays(api: TestClient) -> None:
    post(api, to_structured(cloudevent(id="3"), FORMAT))
    forms = [json.loads(FORMAT.write(cloudevent({"n": n}, id=str(n)))) for n in range(3)]
    forms.append(json.loads(FORMAT.write(cloudevent(id="3"))))
    answer = api.post(f"{BATCH}?chain=main", json=forms, headers=BATCHED)
    receipts = answer.json()["receipts"]
    assert (answer.status_code, [receipt["seq"] for receipt in receipts]) == (201, [1, 2, 3, 0])
    assert [stored(api, receipt)["payload"] for receipt in receipts] == forms
    assert api.post(BATCH, json=forms, headers=BATCHED).status_code == 200


def test_the_query_names_the_chain(api: TestClient) -> None:
    message = to_binary(cloudevent({"a": 1}), FORMAT)
    answer = api.post(f"{EVENTS}?chain=shop", content=message.body, headers=message.headers)
    assert answer.json()["chain"] == "shop"
    assert stored(api, answer.json())["chain"] == "shop"


def test_headers_are_percent_decoded(api: TestClient) -> None:
    event = cloudevent(subject='Grüße 100% "😀" a+b', type="com.é.x")
    message = to_binary(event, FORMAT)
    assert "%F0%9F%98%80" in message.headers["ce-subject"]
    shown = stored(api, post(api, message).json())
    assert shown["payload"]["subject"] == 'Grüße 100% "😀" a+b'
    assert (shown["event_type"], shown["payload"]["type"]) == ("com.é.x", "com.é.x")


def test_text_in_another_charset_is_kept_byte_for_byte(api: TestClient) -> None:
    headers = BINARY | {"content-type": "text/plain; charset=iso-8859-1"}
    shown = stored(api, api.post(EVENTS, content="Ã©".encode("latin-1"), headers=headers).json())
    assert shown["payload"]["data_base64"] == "w6k="
    assert shown["payload"]["datacontenttype"] == "text/plain; charset=iso-8859-1"


def test_extension_attributes_keep_their_types(api: TestClient) -> None:
    form = PLAIN | {"big": 2**31 - 1, "small": -(2**31), "flag": True, "nothing": None, "data": None}
    shown = stored(api, api.post(EVENTS, json=form, headers=STRUCTURED).json())
    assert shown["payload"] == form


STRUCTURED_FAULTS: list[tuple[Any, list[str]]] = [
    ([], [""]),
    ({}, ["/id", "/source", "/type", "/specversion"]),
    (PLAIN | {"specversion": "0.3"}, ["/specversion"]),
    (PLAIN | {"specversion": 1.0}, ["/specversion"]),
    (PLAIN | {"id": ""}, ["/id"]),
    (PLAIN | {"id": 5}, ["/id"]),
    (PLAIN | {"id": "a" * 1025}, ["/id"]),
    (PLAIN | {"id": "a\nb"}, ["/id"]),
    (PLAIN | {"source": ""}, ["/source"]),
    (PLAIN | {"source": "a b"}, ["/source"]),
    (PLAIN | {"source": "/" * 257}, ["/source"]),
    (PLAIN | {"type": None}, ["/type"]),
    (PLAIN | {"type": "t" * 257}, ["/type"]),
    (PLAIN | {"type": "a\u0000"}, ["/type"]),
    (PLAIN | {"time": "yesterday"}, ["/time"]),
    (PLAIN | {"time": 0}, ["/time"]),
    (PLAIN | {"time": "1969-12-31T23:59:59Z"}, ["/time"]),
    (PLAIN | {"myAttr": "x"}, ["/myAttr"]),
    (PLAIN | {"my_attr": "x"}, ["/my_attr"]),
    (PLAIN | {"é": "x"}, ["/é"]),
    (PLAIN | {"": "x"}, ["/"]),
    (PLAIN | {"attr": {}}, ["/attr"]),
    (PLAIN | {"attr": [1]}, ["/attr"]),
    (PLAIN | {"attr": 1.5}, ["/attr"]),
    (PLAIN | {"attr": 2**31}, ["/attr"]),
    (PLAIN | {"data_base64": "?"}, ["/data_base64"]),
    (PLAIN | {"data_base64": 5}, ["/data_base64"]),
    (PLAIN | {"data_base64": "YQ"}, ["/data_base64"]),
    (PLAIN | {"data_base64": "YQ==", "data": 1}, ["/data_base64"]),
]


@pytest.mark.parametrize(("form", "pointers"), STRUCTURED_FAULTS)
def test_a_bad_structured_event_is_refused(api: TestClient, form: Any, pointers: list[str]) -> None:
    check_refused(api, api.post(EVENTS, json=form, headers=STRUCTURED), 422, pointers)


BINARY_FAULTS: list[tuple[dict[str, str | bytes | None], bytes, int, list[str]]] = [
    ({"ce-specversion": "0.3"}, b"", 422, ["/specversion"]),
    ({"ce-id": None}, b"", 422, ["/id"]),
    ({"ce-type": ""}, b"", 422, ["/type"]),
    ({"ce-my_attr": "x"}, b"", 422, ["/my_attr"]),
    ({"ce-subject": "%ff"}, b"", 422, ["/subject"]),
    ({"ce-subject": "%00"}, b"", 422, ["/subject"]),
    ({"ce-subject": "é".encode()}, b"", 422, ["/subject"]),
    ({"ce-subject": "é".encode("latin-1")}, b"", 422, ["/subject"]),
    ({"ce-data": "x"}, b"", 422, ["/data"]),
    ({"ce-data_base64": "eA=="}, b"", 422, ["/data_base64"]),
    ({"ce-datacontenttype": "text/plain"}, b"x", 422, ["/datacontenttype"]),
    ({"content-type": "application/json"}, b'{"a":NaN}', 400, ["/data/a"]),
    ({"content-type": "application/json"}, b'{"a":1,"a":1}', 400, ["/data/a"]),
    ({"content-type": "application/json; charset=utf-16"}, b"{}", 415, ["/header/content-type"]),
    ({}, b"no JSON", 400, ["/data"]),
    ({"content-type": "application/cloudevents-batch+json"}, b"[]", 415, ["/header/content-type"]),
    ({"content-type": "application/octet-stream"}, b"\0" * (200 << 10), 413, [""]),
]


@pytest.mark.parametrize(("headers", "body", "status", "pointers"), BINARY_FAULTS)
def test_a_bad_binary_event_is_refused(
    api: TestClient, headers: dict[str, str | bytes | None], body: bytes, status: int, pointers: list[str]
) -> None:
    sent = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in (BINARY | headers).items()
        if value is not None
    ]
    check_refused(api, api.post(EVENTS, content=body, headers=sent), status, pointers)


def check_refused(api: TestClient, answer: Response, status: int, pointers: list[str]) -> None:
    assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (status, pointers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get("/api/v1/chains").json()["chains"] == []
