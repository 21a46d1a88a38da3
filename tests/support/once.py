"""What is made once for the whole session, by whichever of its processes needs it first: builds above all."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that ``make`` filled, for this process or another of the session; nobody may change what is in it.

    The others wait at a lock meanwhile. What a failed ``make`` left is no obstacle: the next one gets a folder of its
    own and fails with its own words.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / f"{name}.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if done := lock.read():
            return Path(done)
        folder = factory.mktemp(name)
        make(folder)
        lock.write(str(folder))
        return folder
