"""No crash, no failing place and no race makes a witness cosign two histories; in a directory and in S3."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from eventlog.formats.witness_protocol import SIZE_TYPE
from eventlog.witness.state import Held
from eventlog.witness.witness import Witness, WitnessAnswer
from tests.support.each import each
from tests.support.processes import environment
from tests.support.s3_server import client_of, serving_s3
from tests.support.witness_memories import InDirectory, new_bucket
from tests.support.witness_requests import LOG, TIME, Told, W, body, verified

New = Callable[[], Told]


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with serving_s3() as url:
        yield url


@pytest.fixture(params=["directory", "bucket"])
def new(request: pytest.FixtureRequest, s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> New:
    """A witness that has cosigned size 3, in a place of its own that other processes reach too."""

    def make() -> Told:
        bucket = request.param == "bucket"
        found = Told(new_bucket(client_of(s3_url)) if bucket else InDirectory(tmp_path_factory.mktemp("witness")))
        found.state.add_log(LOG)
        found.ask(body(0, 3))
        return found

    return make


@each("applied", [False, True])
def test_a_cosignature_whose_state_may_not_be_durable_is_never_sent(applied: bool, new: New) -> None:
    """The swap is not applied, or it is applied and reported as failed."""
    witness = new()
    kind = type(witness.state)
    swap = kind.swap

    def fail(state: object, origin: str, version: bytes, note: bytes) -> bool:
        if applied:
            assert swap(state, origin, version, note)  # type: ignore[arg-type]
        raise OSError(5, "Input/output error")

    with patch.object(kind, "swap", fail):
        answer = witness.ask(body(3, 5))
    assert (answer.status, answer.alarm, b"witness.example" in answer.body) == (503, True, False)
    assert witness.size() == (5 if applied else 3)
    assert verified(witness.ask(body(witness.size(), 8)), 8) == [TIME]


def test_of_sixteen_that_race_one_wins_and_the_size_never_falls(new: New) -> None:
    """All have read the same state before the first one replaces it."""
    witness = new()
    barrier = threading.Barrier(16)
    first = threading.local()
    kind = type(witness.state)
    read = kind.read

    def read_at_once(state: object, origin: str) -> Held:
        found = read(state, origin)  # type: ignore[arg-type]
        if not getattr(first, "done", False):
            first.done = True
            barrier.wait(60)
        return found

    state = witness.state

    def ask(size: int) -> WitnessAnswer:
        return Witness(state, [W], witness.told.append, lambda: TIME).add_checkpoint(body(3, size))

    sizes = [4 + n for n in range(16)]
    with patch.object(kind, "read", read_at_once), ThreadPoolExecutor(16) as pool:
        answers = dict(zip(sizes, pool.map(ask, sizes), strict=True))
    (won,) = [size for size, answer in answers.items() if answer.status == 200]
    assert verified(answers.pop(won), won) == [TIME]
    assert set(answers.values()) == {WitnessAnswer(409, b"%d\n" % won, SIZE_TYPE)}
    assert witness.size() == won


KILLED = """
import os, signal, sys
from pathlib import Path
from eventlog.witness.witness import Witness
from tests.support.witness_memories import InBucket, InDirectory
from tests.support.witness_requests import TIME, W, body

place, url, when = sys.argv[1:]
if url:
    from tests.support.s3_server import client_of
    state = InBucket(client_of(url), place).state
else:
    state = InDirectory(Path(place)).state

class Killed(type(state)):
    def swap(self, origin, version, note):
        if when == "after":
            assert super().swap(origin, version, note)
        os.kill(os.getpid(), signal.SIGKILL)

if url:
    state.__class__ = Killed
else:
    state = Killed(state.directory)
Witness(state, [W], print, lambda: TIME).add_checkpoint(body(3, 5))
"""


@each("when, size", [("before", 3), ("after", 5)])
def test_kill_9_around_the_swap_leaves_one_state_or_the_other(when: str, size: int, new: New, s3_url: str) -> None:
    """Signed and not remembered: nobody has the cosignature. Remembered and not answered: the next request gets one."""
    witness = new()
    memory: Any = witness.memory
    place = [str(memory.directory), ""] if isinstance(memory, InDirectory) else [str(memory.bucket), s3_url]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *place, when], env=environment(), capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b""), done.stderr
    assert witness.size() == size
    if size == 5:
        assert witness.ask(body(3, 5)) == WitnessAnswer(409, b"5\n", SIZE_TYPE)
    assert verified(witness.ask(body(size, 5)), 5) == [TIME]
    assert verified(witness.ask(body(5, 8)), 8) == [TIME]
