"""Submissions: one event is the same in whatever form it comes, and drafts are made of nothing else."""

import json
from typing import Any

import pytest

from eventlog.errors import InvalidError, TooLargeError
from eventlog.fields import MAX_PAYLOAD
from eventlog.formats.strict_json import MalformedJSONError
from eventlog.http.decoding import CLOUDEVENT, CLOUDEVENTS, JSON, NDJSON, decode_batch, decode_one
from eventlog.ingest.queue_message import format_message, parse_message
from eventlog.ingest.submission import Submission, check_batch, make_draft

EVENT: dict[str, Any] = {
    "event_type": "t",
    "timestamp": "1970-01-01T00:00:01Z",
    "source_id": "s",
    "payload": {"b": 1.0},
}
NATIVE = Submission("c", None, "t", "s", 1000, '{"b":1}')
CE: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"a": 1}}
WHOLE = '{"data":{"a":1},"datacontenttype":"application/json","id":"1","source":"s","specversion":"1.0","type":"t"}'


def typed(kind: str) -> dict[str, str]:
    return {"content-type": kind}


def test_a_native_event_is_the_same_alone_in_an_array_and_on_a_line() -> None:
    body = json.dumps(EVENT).encode()
    assert decode_one(typed(JSON), body, "c") == NATIVE
    assert decode_batch(typed(JSON), b"[" + body + b"]", "c") == [NATIVE]
    assert decode_batch(typed(NDJSON), b"\n" + body + b"\r\n", "c") == [NATIVE]


def test_a_cloudevent_is_the_same_in_structured_mode_in_a_batch_and_in_binary_mode() -> None:
    form = CE | {"datacontenttype": "application/json"}
    body = json.dumps(form).encode()
    binary = {f"ce-{name}": CE[name] for name in ("specversion", "id", "source", "type")} | typed(JSON)
    found = decode_one(typed(CLOUDEVENT), body, "c")
    assert (found.chain, found.timestamp, found.payload) == ("c", None, WHOLE)
    assert decode_batch(typed(CLOUDEVENTS), b"[" + body + b"]", "c") == [found]
    assert decode_one(binary, b'{"a": 1}', "c") == found


@pytest.mark.parametrize(("body", "kind"), [(EVENT | {"event_id": "a"}, JSON), (CE, CLOUDEVENT)])
def test_a_draft_comes_out_of_the_queue_as_it_was_put_in(body: dict[str, Any], kind: str) -> None:
    submission = decode_one(typed(kind), json.dumps(body).encode(), "c")
    draft = make_draft(submission, principal="p", received_at=2000)
    assert parse_message(format_message(draft)) == draft


def test_what_the_client_left_out_is_made_anew_for_each_draft() -> None:
    first, second = (make_draft(NATIVE, principal="p", received_at=2000) for _ in range(2))
    assert (first.id_chosen, first.time_given, first.entry.timestamp) == (False, True, 1000)
    assert first.entry.event_id != second.entry.event_id
    assert first.entry.salt != second.entry.salt
    untimed = make_draft(Submission("c", "a", "t", "s", None, "{}"), principal="p", received_at=2000)
    assert (untimed.id_chosen, untimed.time_given, untimed.entry.timestamp) == (True, False, 2000)


def test_the_chain_of_the_event_goes_before_the_one_of_the_request() -> None:
    body = json.dumps([EVENT, EVENT | {"chain": "d"}]).encode()
    assert [item.chain for item in decode_batch(typed(JSON), body, "c")] == ["c", "d"]


def test_every_bad_item_is_named_and_a_bad_field_counts_before_a_large_payload() -> None:
    large = EVENT | {"payload": {"x": "a" * MAX_PAYLOAD}}
    with pytest.raises(TooLargeError) as too_large:
        decode_batch(typed(JSON), json.dumps([EVENT, large]).encode(), "c")
    assert [problem.pointer for problem in too_large.value.problems] == ["/1/payload"]
    with pytest.raises(InvalidError) as invalid:
        decode_batch(typed(JSON), json.dumps([large, EVENT, EVENT | {"chain": "?", "x": 1}]).encode(), "c")
    assert [problem.pointer for problem in invalid.value.problems] == ["/0/payload", "/2/chain", "/2/x"]
    with pytest.raises(MalformedJSONError) as malformed:
        decode_batch(typed(NDJSON), b'{"a":NaN}\n{}\n{', "c")
    assert [problem.pointer for problem in malformed.value.problems] == ["/0/a", "/2"]


def test_a_batch_has_one_chain_and_distinct_ids() -> None:
    with pytest.raises(InvalidError) as error:
        check_batch(
            [Submission(chain, name, "t", "s", 0, "{}") for chain, name in (("c", "a"), ("d", None), ("c", "a"))]
        )
    assert [problem.pointer for problem in error.value.problems] == ["/1/chain", "/2/event_id"]
    check_batch([NATIVE, NATIVE])
