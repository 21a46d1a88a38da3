"""When two deliveries of one source and id are one CloudEvent, as the payloads say that the log has of them."""

import base64
from typing import Any

from eventlog.ingest import cloudevents
from eventlog.ingest.cloudevent_identity import is_same
from eventlog.ingest.submission import make_draft
from eventlog.store.interface import Draft
from tests.support.each import each

PLAIN: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "2026-11-23T12:00:00Z"}
DATA = PLAIN | {"data": {"n": 1, "f": 1.5}}
TEXT = PLAIN | {"datacontenttype": "text/plain", "data": "grüße"}


def draft(form: dict[str, Any]) -> Draft:
    return make_draft(cloudevents.read(form, "main"), principal="p", received_at=1)


def without(form: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in form.items() if key != name}


def in_base64(form: dict[str, Any], text: str, kind: str = "application/json") -> dict[str, Any]:
    return without(form, "data") | {"data_base64": base64.b64encode(text.encode()).decode(), "datacontenttype": kind}


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (PLAIN, PLAIN),
    # What brokers add, change or take away on the way.
    (DATA, DATA | {"traceparent": "00-1-2-01", "knativearrivaltime": "2026-11-23T12:00:03Z", "knativehistory": "a; b"}),
    (DATA | {"traceparent": "00-1-2-01"}, DATA | {"traceparent": "00-1-3-01"}),
    (DATA | {"n": 5}, DATA | {"n": "5"}),
    # Times as moments, to the millisecond; one may be missing.
    *(
        (PLAIN, PLAIN | {"time": time})
        for time in ("2026-11-23T12:00:00.000Z", "2026-11-23T14:00:00.0+02:00", "2026-11-23t12:00:00.000999z")
    ),
    (PLAIN, without(PLAIN, "time")),
    (PLAIN, PLAIN | {"time": None}),
    # An attribute that is null is not there.
    (DATA, DATA | {"subject": None, "dataschema": None, "datacontenttype": None}),
    # Data in another form.
    (DATA, DATA | {"datacontenttype": "application/json"}),
    (DATA, DATA | {"datacontenttype": 'Application/JSON; charset="UTF-8"'}),
    (DATA, in_base64(DATA, '{ "f": 1.50, "n": 1e0 }')),
    (TEXT, in_base64(TEXT, "grüße", "text/plain")),
    (TEXT, TEXT | {"datacontenttype": "text/plain;charset=utf-8"}),
    (PLAIN | {"data": 1e16}, in_base64(PLAIN, "1E16")),
    (PLAIN, PLAIN | {"datacontenttype": "application/x-www-form-urlencoded"}),
    (PLAIN, PLAIN | {"data": None}),
]
OTHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (DATA, DATA | {"type": "t2"}),
    (DATA, DATA | {"subject": "x"}),
    (DATA, DATA | {"dataschema": "/x"}),
    (DATA, DATA | {"time": "2026-11-23T12:00:00.001Z"}),
    (DATA, DATA | {"data": {"n": 2, "f": 1.5}}),
    (DATA, DATA | {"data": {"n": True, "f": 1.5}}),
    (DATA, DATA | {"data": {"n": "1", "f": 1.5}}),
    (DATA, PLAIN),
    (DATA, DATA | {"datacontenttype": "application/vnd.shop+json"}),
    (DATA, in_base64(DATA, '{"n":1,"f":1.5}', "application/octet-stream")),
    (DATA, in_base64(DATA, '{"n":1,"n":1,"f":1.5}')),
    (TEXT, TEXT | {"data": "gruesse"}),
    (TEXT, TEXT | {"datacontenttype": "text/html"}),
    (TEXT, TEXT | {"datacontenttype": "text/plain; charset=iso-8859-1"}),
    (TEXT, TEXT | {"datacontenttype": "application/json"}),
    (PLAIN | {"data": ""}, PLAIN),
]


@each("one, other", SAME)
def test_what_differs_by_what_others_add_or_by_form_is_one_event(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert agree(one, other)
    assert agree(other, one)


@each("one, other", OTHER)
def test_what_its_producer_says_otherwise_is_another_event(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not agree(one, other)
    assert not agree(other, one)


def agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = draft(one).entry, draft(other).entry
    assert first.event_id == second.event_id
    return is_same(first, second)


@each("payload", ["", "[]", "{", '{"data_base64":"?"}', '{"time":"never"}', '{"a":1,"a":1}', '{"time":"2026"}'])
def test_a_stored_payload_that_is_damaged_is_no_delivery_of_anything(payload: str) -> None:
    entry = draft(DATA).entry
    assert not is_same(entry, entry._replace(payload=payload))


def test_a_source_that_is_not_its_own_is_not_the_same() -> None:
    entry = draft(DATA).entry
    assert not is_same(entry, entry._replace(source_id="/other"))
