"""No crash, no failing disk and no race makes a witness cosign two histories."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventlog.formats.witness_protocol import SIZE_TYPE
from eventlog.witness.directory import DirectoryState
from eventlog.witness.state import Held
from eventlog.witness.witness import Witness, WitnessAnswer
from tests.support.each import each
from tests.support.processes import environment
from tests.support.witness_requests import LOG, TIME, Told, W, body, verified


@dataclass(frozen=True, slots=True)
class Failing(DirectoryState):
    """Its swap is not applied, or applied and reported as failed."""

    applied: bool = False

    def swap(self, origin: str, version: bytes, note: bytes) -> bool:
        if self.applied:
            DirectoryState.swap(self, origin, version, note)
        raise OSError(5, "Input/output error")


@each("applied", [False, True])
def test_a_cosignature_whose_state_may_not_be_durable_is_never_sent(
    applied: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    witness = Told(tmp_path_factory.mktemp("failing"))
    witness.state.add_log(LOG)
    failing = Witness(Failing(witness.directory, applied), [W], witness.told.append, lambda: TIME)
    answer = failing.add_checkpoint(body(0, 3))
    assert (answer.status, b"witness.example" in answer.body) == (503, False)
    assert witness.size() == (3 if applied else 0)
    assert verified(witness.ask(body(witness.size(), 5)), 5) == [TIME]


def test_of_sixteen_that_race_one_wins_and_the_size_never_falls(tmp_path: Path) -> None:
    """All have read the same state before the first one replaces it."""
    witness = Told(tmp_path)
    witness.state.add_log(LOG)
    witness.ask(body(0, 3))
    barrier = threading.Barrier(16)
    first = threading.local()

    class Raced(DirectoryState):
        def read(self, origin: str) -> Held:
            found = DirectoryState.read(self, origin)
            if not getattr(first, "done", False):
                first.done = True
                barrier.wait(60)
            return found

    def ask(size: int) -> WitnessAnswer:
        return Witness(Raced(witness.directory), [W], witness.told.append, lambda: TIME).add_checkpoint(body(3, size))

    sizes = [4 + n for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(sizes, pool.map(ask, sizes), strict=True))
    (won,) = [size for size, answer in answers.items() if answer.status == 200]
    assert verified(answers.pop(won), won) == [TIME]
    assert set(answers.values()) == {WitnessAnswer(409, b"%d\n" % won, SIZE_TYPE)}
    assert witness.size() == won


KILLED = """
import os, signal, sys
from pathlib import Path
from eventlog.witness.directory import DirectoryState
from eventlog.witness.witness import Witness
from tests.support.witness_requests import TIME, W, body

class Killed(DirectoryState):
    def swap(self, origin, version, note):
        if sys.argv[2] == "after":
            assert DirectoryState.swap(self, origin, version, note)
        os.kill(os.getpid(), signal.SIGKILL)

Witness(Killed(Path(sys.argv[1])), [W], print, lambda: TIME).add_checkpoint(body(3, 5))
"""


@each("when, size", [("before", 3), ("after", 5)])
def test_kill_9_around_the_swap_leaves_one_state_or_the_other(
    when: str, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Signed and not remembered: nobody has the cosignature. Remembered and not answered: the next request gets one."""
    witness = Told(tmp_path_factory.mktemp(when))
    witness.state.add_log(LOG)
    witness.ask(body(0, 3))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(witness.directory), when],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b""), done.stderr
    assert witness.size() == size
    if size == 5:
        assert witness.ask(body(3, 5)) == WitnessAnswer(409, b"5\n", SIZE_TYPE)
    assert verified(witness.ask(body(size, 5)), 5) == [TIME]
    assert verified(witness.ask(body(5, 8)), 8) == [TIME]
