"""Lies that the Python client meets: the real API behind something that changes its answers."""

import io
import json
from collections.abc import Callable, Iterator

import pytest

from eventlog.formats.note import format_vkey
from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog_client import EventLog, LogMisbehavedError, UnexpectedAnswerError, UnreachableError
from local.server import build_app
from tests.support.anchoring import KEY, put_anchor
from tests.support.factories import draft
from tests.support.second_row import plant_second_row
from tests.support.serving import Lying, served

ORIGIN = "localhost/eventlog"


@pytest.fixture
def lying(mongo_uri: str, database: str, store: MongoStore) -> Iterator[Lying]:
    """A log of the events e0 to e4, signed."""
    MongoStore(operations_of(store), ORIGIN).append("main", [draft(f"e{number}") for number in range(5)])
    put_anchor(store)
    put_anchor(store, 3)
    put_anchor(store, 5)
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    yield Lying(app)
    app.state.connection.close()


@pytest.fixture
def log(lying: Lying) -> Iterator[EventLog]:
    with served(lying) as url, EventLog(url, key=format_vkey(KEY.verifier(ORIGIN)), retries=0) as log:
        yield log


def test_another_event_than_the_one_asked_for_is_caught(log: EventLog, lying: Lying) -> None:
    other = json.dumps(next(iter(log.transport.get("/events", {"limit": 1}).object()["events"]))).encode()
    lying.change = lambda path, body: other if "/events/e" in path else body
    with pytest.raises(LogMisbehavedError, match="asked for event e0 of chain main, and got another"):
        log.get("e0")


def test_an_event_of_another_chain_is_not_shown_as_one_of_the_chain_asked_for(log: EventLog, lying: Lying) -> None:
    """It is right in itself, and a table has no column for the chain."""
    log.append("user.login", "web-1", {}, chain="other")
    other = log.transport.get("/events", {"chain": "other"}, accept="application/x-ndjson").body
    lying.change = lambda path, body: other if "/events?" in path else body
    with pytest.raises(LogMisbehavedError, match="asked for events of chain main, and got one of chain other"):
        list(log.events())


def test_the_head_of_another_chain_is_not_taken_for_that_of_the_chain_asked_for(log: EventLog, lying: Lying) -> None:
    lying.change = lambda _, body: json.dumps(json.loads(body) | {"chain": "other"}).encode()
    with pytest.raises(LogMisbehavedError, match="asked for chain main, and got other"):
        log.chain("main")


def test_two_rows_with_one_id_contradict_each_other(log: EventLog, store: MongoStore) -> None:
    """Each is right in itself; the second one has taken another event's place."""
    store.settle("main")
    plant_second_row(operations_of(store), seq=3, event_id="e1")
    with pytest.raises(LogMisbehavedError, match="event e1 stands in chain main at seq 1 and at seq 3"):
        list(log.events(sort="seq"))


def test_what_nobody_verified_is_no_part_of_a_proof(log: EventLog, lying: Lying) -> None:
    """Neither on screen nor in the file: what is kept is what was verified."""
    honest = log.proof("e1")
    lying.change = lambda path, body: (
        json.dumps({"note": "paid"} | json.loads(body)).encode() if "/proof" in path else body
    )
    proof = log.proof("e1")
    assert proof == honest
    assert "note" not in proof.fields


def test_a_checkpoint_of_another_size_than_asked_for_is_caught(log: EventLog, lying: Lying) -> None:
    other = log.checkpoint(size=3).note.encode()
    lying.change = lambda _, __: other
    with pytest.raises(LogMisbehavedError, match="asked for the checkpoint of size 5, and got one of 3"):
        log.checkpoint(size=5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first", 2),
        ("second", 4),
        ("first_root", "0" * 64),
        ("second_root", "0" * 64),
        ("hashes", []),
        ("hashes", None),
    ],
)
def test_a_consistency_proof_with_a_field_changed_is_caught(
    log: EventLog, lying: Lying, name: str, value: object
) -> None:
    log.consistency(3, 5)
    lying.change = lambda _, body: json.dumps(json.loads(body) | {name: value}).encode()
    with pytest.raises(LogMisbehavedError, match="the consistency proof does not verify"):
        log.consistency(3, 5)


def test_a_first_event_of_another_log_than_the_pinned_one_is_caught(lying: Lying) -> None:
    other = format_vkey(KEY.verifier("example.com/other"))
    with (
        served(lying) as url,
        EventLog(url, key=other) as log,
        pytest.raises(LogMisbehavedError, match=r"the first event is not linked to example\.com/other/main"),
    ):
        log.get("e0")


def test_events_that_are_left_out_of_a_range_are_caught(log: EventLog, lying: Lying) -> None:
    lying.change = lambda _, body: b"".join(body.splitlines(keepends=True)[::2])
    with pytest.raises(LogMisbehavedError, match="event 2 is shown where event 1 belongs"):
        list(log.events_by_seq("main", 0))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda body: body[: body.rindex(b'{"end"')], UnreachableError, "broke off before its end"),
        (lambda body: body.replace(b'"next_seq":null', b'"next_seq":0'), UnexpectedAnswerError, "does not go on"),
        (lambda body: body.replace(b'"next_seq":null', b'"next_seq":"x"'), UnexpectedAnswerError, "last line"),
    ],
)
def test_an_export_that_does_not_end_as_it_should_is_caught(
    log: EventLog, lying: Lying, change: Callable[[bytes], bytes], error: type[Exception], words: str
) -> None:
    lying.change = lambda _, body: change(body)
    with pytest.raises(error, match=words):
        log.export(io.BytesIO())
