"""What the development server's connections are given time for, by a clock of the test's."""

from dataclasses import dataclass, field
from typing import Any

from local.limits import Deadlines, Limits
from tests.support.each import each

LIMITS = Limits(header_seconds=10, body_seconds=60, send_seconds=30, connections=1)


@dataclass(eq=False)
class Cycle:
    """A request at work, as far as it is looked at."""

    response_complete: bool = False
    response_started: bool = False
    more_body: bool = False


@dataclass(eq=False)
class Connection:
    """One of uvicorn's, and its transport, as far as they are looked at."""

    cycle: Cycle | None = None
    left: int = 0
    closed: bool = False
    ended: list[str] = field(default_factory=list)

    @property
    def transport(self) -> "Connection":
        return self

    def get_write_buffer_size(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        self.ended.append(data.partition(b"\r\n")[0].decode())

    def close(self) -> None:
        self.closed = True
        self.ended.append("close")

    def abort(self) -> None:
        self.ended.append("abort")


class Watched:
    """A connection under a clock."""

    def __init__(self, **state: Any) -> None:
        self.connection = Connection(**state)
        self.now = 0.0
        self.deadlines = Deadlines(LIMITS, lambda: self.now)

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        self.deadlines.sweep({self.connection})
        return self.connection.ended


DONE = "HTTP/1.1 408 Request Timeout"


@each(
    "seconds, ended, state",
    [
        (10, [DONE, "close"], {"cycle": None}),
        (10, [DONE, "close"], {"cycle": Cycle(response_complete=True, response_started=True)}),
        (60, [DONE, "close"], {"cycle": Cycle(more_body=True)}),
        (60, ["close"], {"cycle": Cycle(more_body=True, response_started=True)}),
        (30, ["abort"], {"cycle": Cycle(response_started=True), "left": 70_000}),
        (30, ["abort"], {"cycle": Cycle(response_complete=True, response_started=True), "left": 1}),
        (30, ["abort"], {"cycle": Cycle(response_complete=True), "left": 1, "closed": True}),
        (10, ["abort"], {"cycle": Cycle(response_complete=True), "closed": True}),
    ],
)
def test_each_stage_has_its_time(seconds: float, ended: list[str], state: dict[str, Any]) -> None:
    watched = Watched(**state)
    assert watched.after(0) == []
    assert watched.after(seconds) == []
    assert watched.after(0.1) == ended


def test_a_stream_that_is_read_and_a_route_that_works_have_no_deadline() -> None:
    watched = Watched(cycle=Cycle(response_started=True))
    for hour in range(24):
        watched.connection.left = 0
        assert watched.after(3600) == [], hour
        watched.connection.left = 500 + hour  # something was sent, and is not taken yet
        assert watched.after(29) == []


def test_an_answer_that_is_taken_slowly_is_taken() -> None:
    watched = Watched(cycle=Cycle(response_complete=True), left=4 << 20)
    for _ in range(1000):
        watched.connection.left -= 1
        assert watched.after(29) == []


def test_a_connection_that_is_used_again_and_again_begins_anew_each_time() -> None:
    """Also if it is idle at each look: what is between two looks can't be told but by the request."""
    watched = Watched(cycle=Cycle(response_complete=True))
    for _ in range(1000):
        watched.connection.cycle = None
        watched.connection.cycle = Cycle(response_complete=True)
        assert watched.after(6) == []


def test_a_connection_that_was_closed_and_stays_is_cut_off() -> None:
    watched = Watched()
    watched.after(0)
    assert watched.after(11) == [DONE, "close"]
    watched.connection.left = 80  # the words of 408, which nobody takes
    watched.after(0)
    assert watched.after(31) == [DONE, "close", "abort"]
