"""Where a token goes: to the log that it was given for, by https or within this machine, and nowhere else."""

import httpx2
import pytest

from eventlog_client import EventLog, InsecureError, UnexpectedAnswerError, UnreachableError
from eventlog_client.cli import main
from eventlog_client.transport import Transport
from local.demo.week import send
from local.machine import LocalError
from tests.support.each import each

SENT = ["Bearer secret"]
SAFE = [
    *("https://log.example.com", "HTTPS://LOG.example.com:8443/", "https://10.0.0.1", "https://[2001:db8::1]/api/v1"),
    *("http://127.0.0.1:8000", "HTTP://127.0.0.1", "http://127.8.9.10:1", "http://localhost:8000", "http://LocalHost"),
    *("http://[::1]:8000", "http://[0:0:0:0:0:0:0:1]/api/v1"),
]
UNSAFE = [
    *("http://log.example.com", "HTTP://log.example.com", "http://10.0.0.1:8000", "http://0.0.0.0:8000", "http://log"),
    *("http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://evil.localhost", "http://localhost."),
    *("http://126.0.0.1", "http://128.0.0.1", "http://127.1", "http://2130706433", "http://0x7f.0.0.1"),
    *("http://[2001:db8::1]:8000", "http://[::]", "http://[::2]", "http://[::ffff:127.0.0.1]", "http://[fe80::1]"),
    *("http://evil.example#@127.0.0.1", "http://evil.example?@127.0.0.1", "http://evil.example/@127.0.0.1"),
    *("http://evil.example/http://127.0.0.1", "http://localhost%2eevil.example", "http://localhost%00.evil.example"),
]
IN_THE_URL = [
    *("http://127.0.0.1@evil.example", "http://127.0.0.1:8000@evil.example", "http://localhost:x@evil.example"),
    *("http://evil.example\\@127.0.0.1", "http://me:pw@127.0.0.1", "https://me@log.example.com"),
]
NO_URL = [
    "http://0177.0.0.1",
    "http://\u24db\u24decalhost",
    "http://127.0.0.1\t.evil.example",
    "http://localhost:8000:1",
]


class Answers:
    """Answers every request alike, and remembers what it was asked with."""

    def __init__(self, answer: httpx2.Response | None = None) -> None:
        self.asked: list[httpx2.Request] = []
        self.answer = answer or httpx2.Response(200, json={"status": "ok"})

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        return self.answer

    def get(self, url: str, token: str | None = "secret") -> None:
        Transport(url, token=token, retries=0, inner=httpx2.MockTransport(self)).get("/events")


@each("url", SAFE)
def test_a_token_goes_by_https_and_within_this_machine(url: str) -> None:
    log = Answers()
    log.get(url)
    assert [request.headers["Authorization"] for request in log.asked] == SENT


@each("url", UNSAFE)
def test_a_token_goes_nowhere_else(url: str) -> None:
    log = Answers()
    with pytest.raises(InsecureError, match=r"plain http, where others could read it: use https://, or a tunnel"):
        log.get(url)
    assert log.asked == []
    log.get(url, token=None)  # without one there is nothing to hide
    assert "Authorization" not in log.asked[0].headers


@each("url", IN_THE_URL)
def test_a_url_with_a_name_in_it_takes_no_token(url: str) -> None:
    log = Answers()
    with pytest.raises(InsecureError, match="leave it out"):
        log.get(url)
    assert log.asked == []


def test_a_password_in_a_url_is_as_secret_as_a_token() -> None:
    log = Answers()
    with pytest.raises(InsecureError, match="no token or password is sent to log"):
        log.get("http://me:hidden@log", token=None)
    log.get("https://me:hidden@log", token=None)
    (request,) = log.asked
    assert request.headers["Authorization"].startswith("Basic ")


def test_no_message_shows_a_password() -> None:
    log = Answers(httpx2.Response(503, json={}))
    for url in ("https://me:hidden@log", "http://me:hidden@log:port", "http://me:hidden@127.0.0.1:1"):
        with pytest.raises(UnreachableError) as caught:
            log.get(url, token=None)
        assert "hidden" not in str(caught.value)


@each("url", NO_URL)
def test_what_is_no_url_gets_no_token(url: str) -> None:
    log = Answers()
    with pytest.raises(UnreachableError, match="is not a URL"):
        log.get(url)
    assert log.asked == []


@each("status", [301, 302, 303, 307, 308])
@each(
    "target",
    [
        *("http://log/api/v1/events", "https://evil.example/", "//evil.example/", "http://127.0.0.1:1/"),
        *("https://log:444/api/v1/events", "/api/v1/events/a", "https://log@evil.example/"),
    ],
)
def test_a_redirect_is_never_followed(status: int, target: str) -> None:
    log = Answers(httpx2.Response(status, headers={"Location": target}))
    with pytest.raises(UnexpectedAnswerError):
        log.get("https://log")
    (request,) = log.asked
    assert str(request.url) == "https://log/api/v1/events"
    assert request.headers["Authorization"] == "Bearer secret"


def test_the_command_says_what_to_do_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--url", "http://log.example.com", "--token", "secret", "query"]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("eventlog: no token or password is sent to log.example.com over plain http")
    assert "secret" not in err


def test_the_week_of_the_demo_is_held_to_it_too() -> None:
    with pytest.raises(LocalError, match="No token or password is sent to log"):
        send("http://log.example.com", "secret", [])


def test_the_log_of_a_program_is_held_to_it_too() -> None:
    with pytest.raises(InsecureError):
        EventLog("http://log.example.com", token="secret")
