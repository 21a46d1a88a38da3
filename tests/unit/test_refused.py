"""Evidence in forms that no log writes is refused by its form alone; the browser is held to the same table."""

from typing import Any

import pytest

from eventlog.formats.checkpoint import parse_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event_json import check_event, parse_event, parse_receipt
from eventlog.formats.note import parse_note, parse_vkey
from eventlog_client.proofs import parse_proof
from tests.support.each import each
from tests.support.refused import (
    ACCEPTED_TEXTS,
    EVENT,
    ORIGIN_LINES,
    PROOF,
    REFUSED_EVENTS,
    REFUSED_PROOFS,
    REFUSED_TEXTS,
    changed,
    refused_event,
)

RECEIPT = ("event_id", "chain", "seq", "timestamp", "received_at", "content_hash", "prev_hash", "hash")


def test_what_the_cases_start_from_is_accepted() -> None:
    check_event(parse_event(EVENT))
    other = refused_event({"event_type": "other", "payload": {"n": 1}})
    assert other["hash"] != EVENT["hash"]
    check_event(parse_event(other))
    parse_proof(PROOF)
    assert parse_note(ACCEPTED_TEXTS["note"].encode()).text == ACCEPTED_TEXTS["checkpoint"]
    assert parse_checkpoint(ACCEPTED_TEXTS["checkpoint"]).size == 3
    parse_vkey(ACCEPTED_TEXTS["vkey"])
    assert [is_one for *_, is_one in ORIGIN_LINES] == [True] * 4 + [False] * (len(ORIGIN_LINES) - 4)


@each("changes", REFUSED_EVENTS)
def test_an_event_in_another_form_is_refused(changes: dict[str, Any]) -> None:
    event = refused_event(changes)
    with pytest.raises(EvidenceError):
        parse_event(event)
    if changes.keys() <= set(RECEIPT):
        with pytest.raises(EvidenceError):
            parse_receipt({name: event[name] for name in RECEIPT if name in event})


@each("changes", REFUSED_PROOFS)
def test_a_proof_in_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        parse_proof(changed(PROOF, changes))


@each("kind, text", [(kind, text) for kind, _, text in REFUSED_TEXTS])
def test_a_text_in_another_form_is_refused(kind: str, text: str) -> None:
    parse: dict[str, Any] = {"note": lambda: parse_note(text.encode()), "checkpoint": lambda: parse_checkpoint(text)}
    with pytest.raises(EvidenceError):
        parse.get(kind, lambda: parse_vkey(text))()
