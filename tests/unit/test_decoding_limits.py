"""What a body may cost before it is refused, in every format: nothing is parsed that is larger than any payload."""

import tracemalloc
from collections.abc import Callable

import orjson
import pytest

from eventlog.errors import InputError, TooLargeError
from eventlog.fields import MAX_EVENT, MAX_PAYLOAD, MAX_VALUES
from eventlog.formats import strict_json
from eventlog.formats.strict_json import MalformedJSONError, OversizedJSONError
from eventlog.http.decoding import CLOUDEVENT, CLOUDEVENTS, JSON, NDJSON, decode_batch, decode_one
from eventlog.ingest.queue_message import MessageError, parse_message
from eventlog.ingest.submission import Submission
from tests.support.bodies import HOSTILE, around, cloudevent, native
from tests.support.each import each

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "content-type": JSON}
KILOBYTES = 4096
"""What refusing may take: a few times the longest event. Parsed, 1 MiB of ``{},`` takes 25, and its walk 100."""

Decode = Callable[[bytes], Submission | list[Submission]]
FORMATS: dict[str, tuple[Callable[[bytes], bytes], Decode, str]] = {
    "native": (native, lambda body: decode_one({"content-type": JSON}, body, "main"), ""),
    "CloudEvent": (cloudevent, lambda body: decode_one({"content-type": CLOUDEVENT}, body, "main"), ""),
    "CloudEvent in binary mode": (bytes, lambda body: decode_one(BINARY, body, "main"), "/data"),
    "batch": (around(native, b"[", b"]"), lambda body: decode_batch({"content-type": JSON}, body, "main"), "/0"),
    "lines": (around(native, b"\n", b"\n"), lambda body: decode_batch({"content-type": NDJSON}, body, "main"), "/0"),
    "CloudEvents": (
        around(cloudevent, b"[", b"]"),
        lambda body: decode_batch({"content-type": CLOUDEVENTS}, body, "main"),
        "/0",
    ),
}


def peak_of(act: Callable[[], object]) -> int:
    """The most memory that was taken at once, in KiB."""
    tracemalloc.start()
    try:
        act()
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak >> 10


def refusal(decode: Decode, body: bytes) -> MalformedJSONError | InputError:
    with pytest.raises((MalformedJSONError, InputError)) as raised:
        decode(body)
    assert isinstance(raised.value, MalformedJSONError | InputError)
    return raised.value


@each("form, shape", [*((form, "empty objects") for form in FORMATS), *(("native", shape) for shape in HOSTILE)])
def test_what_has_more_values_than_any_payload_is_refused_unparsed(
    monkeypatch: pytest.MonkeyPatch, form: str, shape: str
) -> None:
    wrap, decode, pointer = FORMATS[form]
    body = wrap(HOSTILE[shape])
    assert MAX_EVENT - 300 < len(body) <= MAX_EVENT + 2
    with monkeypatch.context() as patched:
        patched.setattr(strict_json, "json", None)  # no parser: using it is an error
        error = refusal(decode, body)
    assert isinstance(error, TooLargeError | OversizedJSONError)
    (problem,) = error.problems
    assert problem.pointer == pointer
    assert "values, which is the limit" in problem.detail


def test_refusing_takes_no_more_memory_than_the_body_a_few_times() -> None:
    wrap, decode, _ = FORMATS["lines"]
    body = wrap(HOSTILE["empty objects"])
    assert peak_of(lambda: refusal(decode, body)) <= KILOBYTES


@each("form", ["batch", "lines", "CloudEvents"])
def test_an_event_of_a_batch_is_no_longer_than_one_alone(form: str) -> None:
    wrap, decode, _ = FORMATS[form]
    long = b" " * MAX_EVENT
    first = wrap(b"{}").strip(b"[]\n")
    comma = b"\n" if form == "lines" else b","
    body = wrap(b"{}").replace(first, first.replace(b'"t"', b'"u"') + comma + long + first)
    error = refusal(decode, body)
    assert isinstance(error, TooLargeError)
    assert [problem.pointer for problem in error.problems] == ["/1"]
    assert str(MAX_EVENT) in error.problems[0].detail


def test_of_a_batch_one_event_at_a_time_is_parsed() -> None:
    event = native(b'{"":[' + b",".join([b"[]"] * 5_000) + b"]}")
    one, eight = (b"[" + b",".join([event] * count) + b"]" for count in (1, 8))
    found: list[Submission] = []
    for_one = peak_of(lambda: decode_batch({"content-type": JSON}, one, "main"))
    for_eight = peak_of(lambda: found.extend(decode_batch({"content-type": JSON}, eight, "main")))
    assert len(found) == 8
    assert for_eight <= for_one + 700  # together: 2,700 more


@each("values", [MAX_VALUES, MAX_VALUES + 1])
def test_exactly_as_many_values_are_parsed_as_a_payload_can_have(values: int) -> None:
    payload = b'{"":[' + b",".join([b"0"] * (values - 2)) + b"]}"
    allowed = values == MAX_VALUES
    assert len(payload) == MAX_PAYLOAD + 2 * (values - MAX_VALUES)
    whole = native(payload).replace(b'"source_id"', b'"event_id":"a","chain":"main","source_id"')
    for body, decode in (
        (whole, FORMATS["native"][1]),
        (b"[" + whole + b"]", FORMATS["batch"][1]),
        (whole + b"\n", FORMATS["lines"][1]),
    ):
        if allowed:
            made = decode(body)
            assert (made[0] if isinstance(made, list) else made).payload.encode() == payload
        else:
            assert isinstance(refusal(decode, body), TooLargeError | OversizedJSONError)


def test_what_is_written_wide_or_escaped_is_as_large_as_its_payload() -> None:
    numbers = {"numbers": [index / 8 for index in range(30_000)]}
    pretty = orjson.dumps(numbers, option=orjson.OPT_INDENT_2).replace(b"\n    ", b"\n" + b" " * 20)
    escaped = b'{"x":"' + b"\\u20ac" * ((MAX_PAYLOAD - 8) // 3) + b'"}'
    for text in (pretty, escaped):
        assert MAX_EVENT // 2 - 100 < len(native(text)) <= MAX_EVENT
        made = FORMATS["native"][1](native(text))
        assert isinstance(made, Submission)
        assert orjson.loads(made.payload) == orjson.loads(text)


def test_an_event_with_a_hundred_thousand_fields_is_described_by_a_hundred() -> None:
    fields = b"{" + b",".join(b'"-%d":0' % index for index in range(100_000)) + b"}"
    for form in ("native", "CloudEvents"):
        wrap, decode, _ = FORMATS[form]
        body = wrap(b'{"a":0}').replace(b'{"', fields[:-1] + b',"', 1)
        assert 1 <= len(refusal(decode, body).problems) <= 110


def test_a_message_of_the_queue_is_held_to_the_same_limits() -> None:
    empties = b",".join([b"{}"] * 80_000).decode()
    for message in (
        '{"v":[' + empties + "]}",
        orjson.dumps({"payload": '{"":[' + empties + "]}"}).decode(),
        "[" * 2**21,
    ):
        with pytest.raises(MessageError):
            parse_message(message)
