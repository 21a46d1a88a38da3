"""How a route gets what it works with: ``wired: Annotated[QueryWiring, Depends(wired_by(QueryWiring))]``.

An app has one wiring of each kind, all over its one connection: a function's app has one, the development server's has
those of all functions.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from fastapi import FastAPI, Request

from eventlog.wiring.connection import Wiring

W = TypeVar("W", bound=Wiring)


def wiring_of(app: FastAPI, kind: type[W]) -> W:
    """The app's wiring of a kind, made on first use; nothing is opened by that."""
    wirings: dict[type[Wiring], Wiring] = app.state.wirings
    if kind not in wirings:
        wirings[kind] = kind(app.state.connection)
    return cast(W, wirings[kind])


def wired_by(kind: type[W]) -> Callable[[Request], Awaitable[W]]:
    """A route's dependency; a coroutine, since FastAPI would send a plain function to a thread for every request."""

    async def find(request: Request) -> W:
        return wiring_of(request.app, kind)

    return find
