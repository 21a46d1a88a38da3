"""Coroutines in tests."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], seconds: float = 20) -> T:
    """Run to its end in a loop of its own; unlike ``asyncio.run`` it leaves the thread's loop, Mangum's, as it is."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(coroutine, seconds))
