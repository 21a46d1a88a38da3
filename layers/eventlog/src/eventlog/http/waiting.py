"""Where a request's work is done that waits or takes long: in a thread, unless nobody else could go on meanwhile."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

P = ParamSpec("P")
T = TypeVar("T")


def is_alone(request: Request) -> bool:
    """Whether no other request can come before this one is answered: Lambda gives an environment one at a time."""
    return "aws.event" in request.scope


async def waited_for(request: Request, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work that waits: in another thread, so that other requests go on, or where there can be none, at once.

    The event loop of a function ends with each request, and the threads that it has started with it: to start one
    takes longer than to decode an event.
    """
    if is_alone(request):
        return work(*args, **kwargs)
    return await run_in_threadpool(work, *args, **kwargs)
