"""The table of bad input: bodies, headers and query strings with the status and the pointers of the answer."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

EVENTS, BATCH = "/api/v1/events", "/api/v1/events/batch"
GOOD: dict[str, Any] = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
JSON, NDJSON = "application/json", "application/x-ndjson"
CE, CES = "application/cloudevents+json", "application/cloudevents-batch+json"
HUGE = {"x": "a" * ((256 << 10) - 7)}  # canonical: 256 KiB and one byte


@dataclass
class Case:
    """One bad request; ``pointers`` is every pointer of the answer, in order."""

    name: str
    status: int
    pointers: list[str]
    body: bytes | None = None
    path: str = EVENTS
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})


def changed(**fields: Any) -> bytes:
    return orjson.dumps(GOOD | fields)


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in GOOD.items() if key != name})


def payload(text: str) -> bytes:
    """A good event but for its payload, written as it stands."""
    head = b'{"event_type":"t","timestamp":"2026-11-23T12:00:00Z","source_id":"s","payload":'
    return head + text.encode("utf-8", "surrogatepass") + b"}"


def nested(levels: int) -> str:
    """An object as payload, ``levels`` deep, itself being level 1."""
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


def batch(*events: Any) -> bytes:
    return orjson.dumps(list(events))


def deep_pointer(levels: int) -> str:
    return "/payload" + "/a" * (levels - 1)


BODIES = [
    Case("an empty body", 400, [""], b""),
    Case("cut JSON", 400, [""], b'{"event_type": "t"'),
    Case("text after the JSON", 400, [""], changed() + b"x"),
    Case("two values", 400, [""], changed() + changed()),
    Case("a comment", 400, [""], b"/**/" + changed()),
    Case("a trailing comma", 400, [""], payload('{"a":1,}')),
    Case("single quotes", 400, [""], payload("{'a':1}")),
    Case("a raw control character in a string", 400, [""], payload('{"a":"\n"}')),
    Case("an invalid escape", 400, [""], payload(r'{"a":"\x41"}')),
    Case("a leading zero", 400, [""], payload('{"a":01}')),
    Case("a plus sign", 400, [""], payload('{"a":+1}')),
    Case("invalid UTF-8", 400, [""], payload('{"a":"').rstrip(b"}") + b'\xff"}}'),
    Case("overlong UTF-8", 400, [""], payload('{"a":"').rstrip(b"}") + b'\xc0\xaf"}}'),
    Case("a surrogate as UTF-8 bytes", 400, [""], payload('{"a":"\ud800"}')),
    Case("UTF-16", 400, [""], changed().decode().encode("utf-16")),
    Case("a byte order mark", 400, [""], b"\xef\xbb\xbf" + changed()),
    Case("a key twice", 400, ["/event_type"], b'{"event_type":"a",' + changed()[1:]),
    Case("a key twice, once escaped", 400, ["/payload/a"], payload('{"a":1,"\\u0061":2}')),
    Case("a key twice deep inside", 400, ["/payload/x/0/~1~0"], payload('{"x":[{"/~":1,"/~":1}]}')),
    Case("NaN", 400, ["/payload/a"], payload('{"a":NaN}')),
    Case("Infinity", 400, ["/payload/a/1"], payload('{"a":[1,Infinity]}')),
    Case("minus Infinity", 400, ["/payload/a"], payload('{"a":-Infinity}')),
    Case("a number over a double", 400, ["/payload/a"], payload('{"a":1e309}')),
    Case("a negative number over a double", 400, ["/payload/a"], payload('{"a":-1e309}')),
    Case("2^53 + 1", 400, ["/payload/a"], payload('{"a":9007199254740993}')),
    Case("-2^53 - 1", 400, ["/payload/a"], payload('{"a":-9007199254740993}')),
    Case("an integer of 5000 digits", 400, ["/payload/a"], payload('{"a":' + "9" * 5000 + "}")),
    Case("a lone high surrogate", 400, ["/payload/a"], payload(r'{"a":"\ud800"}')),
    Case("a lone low surrogate", 400, ["/payload/a"], payload(r'{"a":"\udc00x"}')),
    Case("surrogates the wrong way round", 400, ["/payload/a"], payload(r'{"a":"\udc00\ud800"}')),
    Case("a lone surrogate in a key", 400, ["/payload"], payload(r'{"\ud83d":1}')),
    Case("33 levels", 400, [deep_pointer(33)], payload(nested(33))),
    Case("200,000 levels", 400, [""], payload("[" * 200_000)),
    Case("two bad numbers", 400, ["/payload/a", "/payload/b"], payload('{"a":NaN,"b":1e999}')),
    Case("an array for an event", 422, [""], b"[]"),
    Case("null for an event", 422, [""], b"null"),
    Case("an empty object", 422, ["/event_type", "/timestamp", "/source_id", "/payload"], b"{}"),
    *(Case(f"no {name}", 422, [f"/{name}"], without(name)) for name in GOOD),
    *(Case(f"{name} null", 422, [f"/{name}"], changed(**{name: None})) for name in GOOD),
    *(Case(f"{name} a number", 422, [f"/{name}"], changed(**{name: 5})) for name in GOOD),
    Case("an unknown field", 422, ["/seq"], changed(seq=0)),
    Case("a misspelt field", 422, ["/evnt_id"], changed(evnt_id="a")),
    Case("payload an array", 422, ["/payload"], changed(payload=[])),
    Case("payload a string", 422, ["/payload"], changed(payload="{}")),
    Case("event_type empty", 422, ["/event_type"], changed(event_type="")),
    Case("source_id empty", 422, ["/source_id"], changed(source_id="")),
    Case("event_type 257 characters", 422, ["/event_type"], changed(event_type="é" * 257)),
    Case("source_id 257 characters", 422, ["/source_id"], changed(source_id="s" * 257)),
    Case("a NUL in event_type", 422, ["/event_type"], changed(event_type="a\0b")),
    Case("a line feed at the end of source_id", 422, ["/source_id"], changed(source_id="s\n")),
    Case("DEL in source_id", 422, ["/source_id"], changed(source_id="\x7f")),
    Case("a C1 control in event_type", 422, ["/event_type"], changed(event_type="\x85")),
    *(
        Case(f"event_id {text!r:.20}", 422, ["/event_id"], changed(event_id=text))
        for text in ("", ".", "..", "ce-x", "ce-", "a b", "a/b", "a\n", "é", "a" * 129, 7, ["a"])
    ),
    *(
        Case(f"chain {text!r:.20}", 422, ["/chain"], changed(chain=text))
        for text in ("", "Main", "-a", ".a", "_a", "a/b", "a b", "a\n", "é", "a" * 65, 1)
    ),
    *(
        Case(f"timestamp {text!r}", 422, ["/timestamp"], changed(timestamp=text))
        for text in (
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:59:59+01:00",
            "10000-01-01T00:00:00Z",
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "2023-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23",
            "2026-11-23 12:00:00Z",
            "2026-11-23T12:00Z",
            "2026-11-23T12:00:00,5Z",
            "2026-11-23T12:00:00.Z",
            "2026-11-23T12:00:00+0100",
            "2026-11-23T12:00:00+24:00",
            "2026-11-23T12:00:00Z\n",
            " 2026-11-23T12:00:00Z",
            "٢٠٢٦-11-23T12:00:00Z",
            "1700000000",
            "now",
            "",
        )
    ),
    Case("a payload of 256 KiB and a byte", 413, ["/payload"], changed(payload=HUGE)),
    Case("a payload that grows over 256 KiB", 413, ["/payload"], payload('{"a":[' + "1e20," * 12_000 + "0]}")),
    Case("a body over 4 MiB", 413, [""], b" " * (4 << 20) + changed()),
    Case("a misspelt parameter of an append", 422, ["/query/chian"], changed(), f"{EVENTS}?chian=a"),
    Case("a bad chain in the query string", 422, ["/query/chain"], changed(), f"{EVENTS}?chain=A"),
]

HEADERS = [
    Case("no content type", 415, ["/header/content-type"], changed(), headers={}),
    Case("text", 415, ["/header/content-type"], changed(), headers={"content-type": "text/plain"}),
    Case(
        "a form", 415, ["/header/content-type"], b"a=b", headers={"content-type": "application/x-www-form-urlencoded"}
    ),
    Case("NDJSON for one event", 415, ["/header/content-type"], changed(), headers={"content-type": NDJSON}),
    Case("a CloudEvent batch for one", 415, ["/header/content-type"], b"[]", headers={"content-type": CES}),
    Case("a CloudEvent for a batch", 415, ["/header/content-type"], b"{}", BATCH, {"content-type": CE}),
    Case("latin-1", 415, ["/header/content-type"], changed(), headers={"content-type": f"{JSON}; charset=latin-1"}),
    Case("utf-16", 415, ["/header/content-type"], changed(), headers={"content-type": f'{JSON}; CHARSET="UTF-16"'}),
    *(
        Case(f"{how} encoding", 415, ["/header/content-encoding"], changed(), path, GZIP | {"content-encoding": how})
        for GZIP in ({"content-type": JSON},)
        for how, path in (("gzip", EVENTS), ("br", BATCH), ("gzip, identity", EVENTS))
    ),
]

BATCHES = [
    Case("an object for a batch", 422, [""], changed(), BATCH),
    Case("an empty batch", 422, [""], b"[]", BATCH),
    Case("an empty NDJSON batch", 422, [""], b"\n \r\n", BATCH, {"content-type": NDJSON}),
    Case("501 events", 413, [""], batch(*[GOOD] * 501), BATCH),
    Case("501 lines", 413, [""], (changed() + b"\n") * 501, BATCH, {"content-type": NDJSON}),
    Case("200,000 bad lines", 413, [""], b"x\n" * 200_000, BATCH, {"content-type": NDJSON}),
    Case("a batch over 4 MiB", 413, [""], batch(GOOD) + b" " * (4 << 20), BATCH),
    Case(
        "a batch whose canonical text is over 4 MiB",
        413,
        [""],
        b"[" + b",".join([payload('{"a":[' + "1e20," * 11_900 + "0]}")] * 17) + b"]",
        BATCH,
    ),
    Case("bad items", 422, ["/1/timestamp", "/2/x"], batch(GOOD, GOOD | {"timestamp": "?"}, GOOD | {"x": 1}), BATCH),
    Case("an item that is no object", 422, ["/1"], batch(GOOD, 5), BATCH),
    Case("a malformed item", 400, ["/1/payload/a"], b"[" + changed() + b"," + payload('{"a":NaN}') + b"]", BATCH),
    Case("33 levels in a batch", 400, ["/0" + deep_pointer(33)], b"[" + payload(nested(33)) + b"]", BATCH),
    Case("an item too large", 413, ["/1/payload"], batch(GOOD, GOOD | {"payload": HUGE}), BATCH),
    Case(
        "items too large and invalid",
        422,
        ["/0/payload", "/1/chain"],
        batch(GOOD | {"payload": HUGE}, GOOD | {"chain": "?"}),
        BATCH,
    ),
    Case("mixed chains", 422, ["/1/chain"], batch(GOOD, GOOD | {"chain": "b"}, GOOD | {"chain": "main"}), BATCH),
    Case("an id twice", 422, ["/2/event_id"], batch(*(GOOD | {"event_id": i} for i in "aba")), BATCH),
    Case(
        "NDJSON with bad lines",
        400,
        ["/1", "/2/payload/a"],
        b"\n".join([changed(), b"{", b"", payload('{"a":NaN}'), changed()]),
        BATCH,
        {"content-type": NDJSON},
    ),
    Case(
        "NDJSON with a bad field",
        422,
        ["/1/payload"],
        changed() + b"\r\n" + without("payload"),
        BATCH,
        {"content-type": NDJSON},
    ),
    Case("a byte order mark before NDJSON", 400, ["/0"], b"\xef\xbb\xbf" + changed(), BATCH, {"content-type": NDJSON}),
    Case("a CloudEvent twice", 422, ["/1/event_id"], batch(CLOUDEVENT, CLOUDEVENT), BATCH, {"content-type": CES}),
    Case(
        "a bad CloudEvent in a batch",
        422,
        ["/1/id"],
        batch(CLOUDEVENT, CLOUDEVENT | {"id": ""}),
        BATCH,
        {"content-type": CES},
    ),
]


def parameter(name: str, query: str, pointer: str | None = None, path: str = EVENTS) -> Case:
    return Case(f"{path} {name}", 422, [pointer or f"/query/{query.partition('=')[0]}"], None, f"{path}?{query}")


QUERIES = [
    parameter("an unknown parameter", "evnt_type=a"),
    parameter("limit 0", "limit=0"),
    parameter("limit 1001", "limit=1001"),
    parameter("limit no number", "limit=ten"),
    parameter("limit empty", "limit="),
    parameter("an unknown order", "order=up"),
    parameter("an unknown sort", "sort=hash"),
    parameter("a bad start", "start_time=yesterday"),
    parameter("a bad end", "end_time=1969-12-31T23:59:59Z"),
    parameter("an empty type", "event_type=", "/query/event_type/0"),
    parameter("a control character", "source_id=a&source_id=%00", "/query/source_id/1"),
    parameter("21 types", "&".join(f"event_type={i}" for i in range(21))),
    parameter("21 sources", "&".join(f"source_id={i}" for i in range(21))),
    parameter("a bad chain", "chain=A"),
    parameter("a negative seq", "sort=seq&from_seq=-1", "/query/from_seq"),
    parameter("a seq over 63 bits", f"sort=seq&to_seq={2**63}", "/query/to_seq"),
    parameter("sort=seq with a type", "sort=seq&event_type=a", "/query/event_type"),
    parameter("sort=seq with a source", "sort=seq&source_id=a", "/query/source_id"),
    parameter("sort=seq with a start", "sort=seq&start_time=2026-01-01T00:00:00Z", "/query/start_time"),
    parameter("sort=seq with an end", "sort=seq&end_time=2026-01-01T00:00:00Z", "/query/end_time"),
    parameter("from_seq without sort=seq", "from_seq=1"),
    parameter("to_seq without sort=seq", "to_seq=1"),
    parameter("a bad cursor", "cursor=abc"),
    parameter("an empty cursor", "cursor="),
    parameter("a cursor not base64", "cursor=" + quote("é!!")),
    parameter("a long cursor", "cursor=" + "A" * 201),
    parameter("limit 0", "limit=0", path="/api/v1/chains"),
    parameter("limit 101", "limit=101", path="/api/v1/audits"),
    parameter("a bad chain", "chain=A", path="/api/v1/audits"),
    Case("a bad event id in the path", 422, ["/path/event_id"], None, f"{EVENTS}/{'a' * 129}"),
    Case("a bad chain in the path", 422, ["/path/chain"], None, "/api/v1/chains/A"),
    Case("a bad audit id", 422, ["/path/audit_id"], None, "/api/v1/audits/1"),
]

AUDITS = [
    Case("a bad chain", 422, ["/chain"], b'{"chain":"A"}', "/api/v1/audits"),
    Case("a bad mode", 422, ["/mode"], b'{"mode":"fast"}', "/api/v1/audits"),
    Case("an unknown field of an audit", 422, ["/full"], b'{"full":true}', "/api/v1/audits"),
    Case("an array for an audit", 422, [""], b"[]", "/api/v1/audits"),
    Case("malformed JSON for an audit", 400, [""], b"{", "/api/v1/audits"),
]

CASES = [*BODIES, *HEADERS, *BATCHES, *QUERIES, *AUDITS]
