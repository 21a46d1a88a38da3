"""Which answers fail a run of `make load`, and which a client must live with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.machine import HOST
from tests.support.ports import own_port
from tests.support.serving import served
from tools.load import ledger
from tools.load.appends import Appends
from tools.load.exchange import Exchange, Shared
from tools.load.figures import Figures, Route
from tools.load.ledger import Ledger
from tools.load.mix import Mix


@contextmanager
def appends(url: str, path: Path) -> Iterator[tuple[Appends, list[str | None]]]:
    told: list[str | None] = []
    exchange = Exchange(url, "secret", lambda *request: told.append(request[-1]))
    rng = Random(1)
    with Ledger(path) as book:
        yield Appends(exchange, Shared(book, Mix(rng, ["tools.load.test"]), rng)), told
    exchange.close()


@pytest.mark.parametrize(
    ("status", "headers", "kind", "failure"),
    [
        (201, {}, "wrong: a receipt that is none", True),
        (503, {"Retry-After": "1"}, "503 with Retry-After", False),
        (429, {"retry-after": "1"}, "429 with Retry-After", False),
        (503, {}, "503 without Retry-After", True),
        (429, {}, "429 without Retry-After", True),
        (500, {}, "status 500", True),
        (409, {}, "status 409", True),
        (401, {}, "status 401", True),
    ],
)
def test_an_answer_is_judged(tmp_path: Path, status: int, headers: dict[str, str], kind: str, failure: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (b"authorization", b"Bearer secret") in scope["headers"]
        await Response(b"[]", status, headers)(scope, receive, send)

    with served(app) as url, appends(url, tmp_path / "ledger") as (calls, told):
        calls.single()
    assert told == [kind]
    figures = Figures(1, [Route("POST /events", 1, {}, {kind: 1})])
    assert figures.failures() == ([f"1 times {kind} to POST /events"] if failure else [])
    (sent,) = ledger.read(tmp_path / "ledger").values()
    assert sent.in_doubt == (0 if 400 <= status < 500 else 1)


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, and the last one ever after; and the bodies it got."""
    bodies: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status, body = answers[min(len(bodies), len(answers) - 1)]
        bodies.append((await receive())["body"])
        await Response(body, status, {"Retry-After": "1"})(scope, receive, send)

    with served(app) as url:
        yield url, bodies


UNAVAILABLE = (503, b"{}")
ACCEPTED = (202, b'{"event_id": "own-1"}')


def test_an_event_without_an_id_is_sent_once_only(tmp_path: Path) -> None:
    with answering(UNAVAILABLE, ACCEPTED) as (url, bodies), appends(url, tmp_path / "ledger") as (calls, _):
        calls.single()
        assert len(bodies) == 1


def test_an_event_with_an_id_is_sent_until_it_is_acknowledged(tmp_path: Path) -> None:
    with (
        answering(UNAVAILABLE, UNAVAILABLE, ACCEPTED) as (url, bodies),
        appends(url, tmp_path / "ledger") as (calls, _),
    ):
        calls.own_id()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    (sent,) = ledger.read(tmp_path / "ledger").values()
    assert sent.accepted == "own-1"


def test_what_is_refused_is_not_sent_again(tmp_path: Path) -> None:
    with answering((409, b"{}"), ACCEPTED) as (url, bodies), appends(url, tmp_path / "ledger") as (calls, _):
        calls.own_id()
    assert len(bodies) == 1


@pytest.mark.parametrize(("answer", "has_queue"), [(ACCEPTED, True), ((422, b"{}"), False)])
def test_the_queue_is_used_where_there_is_one(tmp_path: Path, answer: tuple[int, bytes], has_queue: bool) -> None:
    with answering(answer) as (url, bodies), appends(url, tmp_path / "ledger") as (calls, _):
        calls.find_queue()
        calls.queued()
    assert len(bodies) == 1 + has_queue


def test_no_answer_leaves_it_in_doubt(tmp_path: Path) -> None:
    with appends(f"http://{HOST}:{own_port()}", tmp_path / "ledger") as (calls, told):
        calls.batch()
    assert told == ["no answer"]
    assert all(sent.in_doubt == 1 for sent in ledger.read(tmp_path / "ledger").values())
    assert Figures(1, [Route("POST /events/batch", 1, {}, {"no answer": 1})]).failures() == []


def test_a_line_that_was_cut_short_was_not_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    line = json.dumps({"chain": "a", "sent": ["m"]})
    path.write_text(f'{line}\n{{"receipts": {{"m": {{')
    assert ledger.read(path)["m"].receipt is None
