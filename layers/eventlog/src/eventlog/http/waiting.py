"""Where a request's work is done that waits or takes long: in a thread, unless nobody else could go on meanwhile."""

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
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


_asked: ContextVar[Request] = ContextVar("request")


class WaitingRoute(APIRoute):
    """A route whose plain function is called as ``waited_for`` says; the framework always takes a thread for one."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint if iscoroutinefunction(endpoint) else _awaited(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Have the function's wrapper know the request, which is no argument of every function."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            _asked.set(request)
            return await handle(request)

        return answer


def _awaited(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    @wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        # As one argument: a function may have one that is named as one of theirs, such as the request.
        return await waited_for(_asked.get(), partial(work, *args, **kwargs))

    return call
