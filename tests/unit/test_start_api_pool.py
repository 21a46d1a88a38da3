"""The pool of execution environments, with environments that a test holds in its hands."""

from concurrent.futures import Future
from threading import Event

import pytest

from local.machine import LocalError, wait_until
from local.start_api.pool import Pool, ThrottledError


class Held:
    """Answers when it may; counts what happens to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.may_answer = Event()
        self.invoked = 0
        self.alive = False

    def start(self) -> None:
        self.alive = True

    def is_alive(self) -> bool:
        return self.alive

    def invoke(self, payload: bytes) -> bytes:
        self.invoked += 1
        assert self.may_answer.wait(60)
        return b"%d:%s" % (self.number, payload)

    def stop(self) -> None:
        self.alive = False
        self.may_answer.set()


class Broken(Held):
    def start(self) -> None:
        raise LocalError("no room")


@pytest.fixture
def made() -> list[Held]:
    return []


@pytest.fixture
def pool(made: list[Held]) -> Pool:
    def make(number: int) -> Held:
        made.append(Held(number))
        return made[-1]

    return Pool(make, size=2, queue=1)


def answered(future: Future[bytes]) -> bytes:
    return future.result(10)


def test_an_environment_is_started_by_the_first_request_and_used_again(pool: Pool, made: list[Held]) -> None:
    assert made == []
    first = pool.submit(b"a")
    wait_until("the start", lambda: bool(made))
    made[0].may_answer.set()
    assert (answered(first), answered(pool.submit(b"b"))) == (b"1:a", b"1:b")
    assert len(made) == 1
    pool.close()


def test_as_many_run_as_the_pool_has_one_waits_and_the_next_is_refused(pool: Pool, made: list[Held]) -> None:
    futures = [pool.submit(b"x") for _ in range(3)]
    wait_until("two of them", lambda: [each.invoked for each in made] == [1, 1])
    with pytest.raises(ThrottledError):
        pool.submit(b"y")
    for each in made:
        each.may_answer.set()
    assert {answered(future) for future in futures} <= {b"1:x", b"2:x"}
    assert sum(each.invoked for each in made) == 3
    answered(pool.submit(b"again"))
    pool.close()


def test_one_that_died_is_replaced(pool: Pool, made: list[Held]) -> None:
    first = pool.submit(b"a")
    wait_until("the start", lambda: bool(made))
    made[0].may_answer.set()
    answered(first)
    made[0].alive = False
    second = pool.submit(b"b")
    wait_until("another", lambda: len(made) == 2)
    made[1].may_answer.set()
    assert answered(second) == b"2:b"
    pool.close()


def test_one_that_does_not_start_fails_its_request_alone() -> None:
    made: list[Held] = []

    def make(number: int) -> Held:
        made.append(Broken(number) if number == 1 else Held(number))
        made[-1].may_answer.set()
        return made[-1]

    pool = Pool(make, size=1, queue=0)
    with pytest.raises(LocalError, match="no room"):
        answered(pool.submit(b"a"))
    wait_until("its place", lambda: pool_takes(pool))
    pool.close()


def pool_takes(pool: Pool) -> bool:
    try:
        return answered(pool.submit(b"b")) == b"2:b"
    except ThrottledError:
        return False


def test_a_closed_pool_ends_its_environments_and_refuses(pool: Pool, made: list[Held]) -> None:
    future = pool.submit(b"a")
    wait_until("the start", lambda: [each.invoked for each in made] == [1])
    pool.close()
    assert not made[0].alive
    assert future.done()
    with pytest.raises(ThrottledError):
        pool.submit(b"b")
