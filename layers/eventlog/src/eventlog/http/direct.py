"""Routes whose arguments are read without the framework's search for them, which takes a quarter of a short request.

Such a route is declared as any other, so documents, checks and tests of routes find in it what they look for. Only what
the framework would do with the declaration, anew for each request, one function does instead.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, get_origin

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
Arguments = Callable[[Request], Awaitable[tuple[Any, ...]]]
"""Reads the arguments of a route's function, in its order; it raises what the dependencies that it stands for raise."""


def read_directly(router: APIRouter, arguments: Arguments) -> None:
    """Have the routes that are added to a router from here on read their arguments so; none of them is a coroutine.

    A function of Lambda has one request at a time, and nothing else to do meanwhile: there no thread is needed.
    """

    class DirectRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            work: Callable[..., Response] = self.endpoint

            async def answer(request: Request) -> Response:
                given = await arguments(request)
                return work(*given) if "aws.event" in request.scope else await run_in_threadpool(work, *given)

            return answer

    router.route_class = DirectRoute


def query_model(model: type[M], request: Request) -> M:
    """Read the query string as the parameters of a model, as the framework does for a ``Query()`` of it.

    Raises:
        RequestValidationError: they are not what the model allows.
    """
    given = request.query_params
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in given:
            found[name] = given.getlist(name) if get_origin(field.annotation) is list else given[name]
    try:
        return model.model_validate(found)
    except ValidationError as error:
        errors = [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(errors) from error
