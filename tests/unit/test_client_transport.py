"""Requests: what is tried again and how long it waits, and what becomes of answers that are none."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from eventlog_client import transport
from eventlog_client.errors import RefusedError, UnexpectedAnswerError, UnreachableError
from eventlog_client.transport import Transport

OK = httpx2.Response(200, json={"status": "ok"})
PROBLEM = {
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "A field is not allowed.",
    "errors": [{"pointer": "/timestamp", "detail": "no such time"}],
}


class Script:
    """Answers with the next of a list, again and again with the last; raises what is an error."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []
        self.log = Transport(
            "https://log", token="secret", retries=3, inner=httpx2.MockTransport(self), sleep=self.waits.append
        )

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "first",
    [
        httpx2.Response(503, json={"title": "Service Unavailable"}),
        httpx2.Response(429, json={"message": "Too Many Requests"}),
        httpx2.Response(502, text="Bad Gateway"),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("cut off"),
    ],
)
def test_what_may_pass_is_tried_again(first: httpx2.Response | Exception) -> None:
    script = Script(first, OK)
    assert script.log.post("/events", b"{}").object() == {"status": "ok"}
    assert [request.content for request in script.requests] == [b"{}", b"{}"]
    assert len(script.waits) == 1


def test_waits_grow_and_end() -> None:
    script = Script(httpx2.ConnectError("refused"))
    with pytest.raises(UnreachableError, match="https://log/api/v1 can't be reached: refused"):
        script.log.get("/events")
    assert len(script.requests) == 4
    assert len(script.waits) == 3
    assert all(0.1 * 2**number <= wait <= 0.2 * 2**number for number, wait in enumerate(script.waits))


@pytest.mark.parametrize(("hint", "at_least"), [("7", 7), ("99999", 30), ("soon", 0), ("-1", 0), ("²", 0), ("", 0)])
def test_the_log_s_hint_how_long_to_wait_is_followed_within_reason(hint: str, at_least: float) -> None:
    script = Script(httpx2.Response(503, json={}, headers={b"Retry-After": hint.encode()}), OK)
    script.log.get("/events")
    (wait,) = script.waits
    assert at_least <= wait <= max(at_least, 0.2)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500])
def test_a_refusal_is_final_and_says_why(status: int) -> None:
    script = Script(httpx2.Response(status, json=PROBLEM))
    with pytest.raises(RefusedError) as caught:
        script.log.get("/events")
    assert len(script.requests) == 1
    error = caught.value
    assert (error.status, error.title, error.detail) == (status, PROBLEM["title"], PROBLEM["detail"])
    assert [(problem.pointer, problem.detail) for problem in error.errors] == [("/timestamp", "no such time")]
    assert "/timestamp: no such time" in str(error)


def test_a_gateway_s_own_refusal_is_understood() -> None:
    with pytest.raises(RefusedError, match="401 Unauthorized: Missing token"):
        Script(httpx2.Response(401, json={"message": "Missing token"})).log.get("/events")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b""])
@pytest.mark.parametrize("status", [200, 404, 302])
def test_an_answer_of_something_else_is_told(body: bytes, status: int) -> None:
    with pytest.raises(UnexpectedAnswerError, match="is there an event log at this URL"):
        Script(httpx2.Response(status, content=body)).log.get("/events").object()


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", 1000)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    class Endless(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return endless()

    for read in (lambda log: log.get("/events"), lines):
        with pytest.raises(UnexpectedAnswerError, match="longer than 1000 bytes"):
            read(Script(httpx2.Response(200, stream=Endless())).log)


def lines(log: Transport) -> list[bytes]:
    with log.lines("/export", {}) as found:
        return list(found)


@pytest.mark.parametrize(
    ("body", "expected"), [(b"", []), (b"a\nb\n", [b"a\n", b"b\n"]), (b"a\n\nb", [b"a\n", b"\n", b"b"])]
)
def test_a_stream_comes_line_by_line(body: bytes, expected: list[bytes]) -> None:
    assert lines(Script(httpx2.Response(200, content=body)).log) == expected


def test_a_stream_that_breaks_off_is_told() -> None:
    class Broken(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"a\n"
            raise httpx2.ReadError("reset")

    with pytest.raises(UnreachableError, match="broke off its answer: reset"):
        lines(Script(httpx2.Response(200, stream=Broken())).log)


@pytest.mark.parametrize("url", ["http://log", "http://log/", "http://log/api/v1", "http://log/api/v1/"])
def test_a_url_is_understood_with_and_without_the_api_s_prefix(url: str) -> None:
    assert Transport(url).url == "http://log/api/v1"


@pytest.mark.parametrize("url", ["", "log", "ftp://log", "http://log:port"])
def test_a_url_that_is_none_is_told(url: str) -> None:
    make: Callable[[], Any] = lambda: Transport(url, sleep=lambda _: None).get("/events")  # noqa: E731
    with pytest.raises(UnreachableError):
        make()


class Raw(httpx2.SyncByteStream):
    """A body as it comes from the network."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"this is not gzip"


def garbled() -> httpx2.Response:
    return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=Raw())


def test_an_answer_that_cannot_be_decompressed_is_unexpected() -> None:
    with pytest.raises(UnexpectedAnswerError, match="decompressed"):
        Script(garbled()).log.get("/x")
    with pytest.raises(UnexpectedAnswerError, match="decompressed"), Script(garbled()).log.lines("/x", {}) as lines:
        list(lines)


@pytest.mark.parametrize("url", ["https://log/under/it", "https://log/under/it/", "https://log/under/it/api/v1"])
def test_a_log_may_be_under_a_path(url: str) -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return OK

    Transport(url, inner=httpx2.MockTransport(answer)).get("/health")
    assert asked == ["https://log/under/it/api/v1/health"]
