"""Errors as problem documents (RFC 9457): the one table of status codes."""

from collections.abc import Iterable
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from eventlog.errors import (
    BatchConflictError,
    BatchErasedError,
    ConflictError,
    EncodedError,
    InvalidError,
    NotFoundError,
    NotSetUpError,
    TooLargeError,
    UnsupportedError,
)
from eventlog.fields import pointer
from eventlog.formats.event_json import DamagedEventError
from eventlog.formats.strict_json import MAX_POINTER, MAX_PROBLEMS, MalformedJSONError, OversizedJSONError, Problem
from eventlog.http.access import AccessError, ScopeError, UnknownCallerError
from eventlog.http.edge import DEFAULTS
from eventlog.http.negotiation import NotAcceptableError
from eventlog.http.waiting import WaitingRoute
from eventlog.store.errors import (
    CorruptionError,
    CredentialsRefusedError,
    IdConflictError,
    IdErasedError,
    LimitError,
    StoreUnavailableError,
)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Exception], int] = {
    OversizedJSONError: 413,  # before what it is a kind of
    MalformedJSONError: 400,
    UnknownCallerError: 401,
    ScopeError: 403,
    NotFoundError: 404,
    NotAcceptableError: 406,
    IdErasedError: 410,  # before what it is a kind of
    IdConflictError: 409,
    ConflictError: 409,
    TooLargeError: 413,
    UnsupportedError: 415,
    InvalidError: 422,
    RequestValidationError: 422,
    LimitError: 429,
    CorruptionError: 500,
    DamagedEventError: 500,
    NotSetUpError: 501,
    StoreUnavailableError: 503,
}


class FieldError(BaseModel, defer_build=True):
    """One thing that is wrong."""

    pointer: str = Field(description="RFC 6901 pointer into the body; /query/NAME or /path/NAME for parameters")
    detail: str


class ProblemDocument(BaseModel, defer_build=True):
    """An error as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document a route that may answer with problems of these statuses: its ``responses``, in part."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def api_router(tag: str) -> APIRouter:
    """A router of the API, whose routes are listed under a tag; each of them may refuse its caller (access.py)."""
    return APIRouter(prefix="/api/v1", tags=[tag], responses=documented(401, 403), route_class=WaitingRoute)


def problem(
    status: int, detail: str, errors: Iterable[Problem] = (), headers: dict[str, str] | None = None
) -> Response:
    """A problem document as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [  # no more than this, as an answer must not outgrow the request that it refuses
            {"pointer": _short(error.pointer), "detail": error.detail} for error in islice(errors, MAX_PROBLEMS)
        ],
    }
    # A server's own refusals, which no app has seen, have the headers of every answer too.
    return Response(orjson.dumps(body), status, DEFAULTS | (headers or {}), MEDIA_TYPE)


def _short(pointer: str) -> str:
    """Shorten a pointer that is longer than ``MAX_POINTER`` to that of the nearest container that isn't."""
    while len(pointer) > MAX_POINTER:
        pointer = pointer.rpartition("/")[0]
    return pointer


def install(app: FastAPI) -> None:
    """Answer every error of ours and of the framework with a problem document."""
    for kind in STATUS:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(HTTPException, _answer_http)


def _answer(request: Request, error: Exception) -> Response:
    """The problem document of an error in the table."""
    if isinstance(error, CredentialsRefusedError):
        request.app.state.connection.refused()  # the client asks again, and the next request may find a new password
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return problem(status, _detail(error), _errors(error), _headers(error, status))


def _headers(error: Exception, status: int) -> dict[str, str] | None:
    if isinstance(error, AccessError):
        return {"WWW-Authenticate": error.challenge}
    if isinstance(error, LimitError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, EncodedError):  # what would have been accepted (RFC 9110, section 15.5.16)
        return {"Accept-Encoding": "identity"}
    return {"Retry-After": "1"} if status == 503 else None


def _detail(error: Exception) -> str:
    """One sentence: the error's own text unless that is a list of problems, or says more than a client should see."""
    if isinstance(error, (MalformedJSONError, InvalidError, TooLargeError, UnsupportedError)):
        return "The request was refused and nothing was stored; errors says what is wrong where."
    if isinstance(error, RequestValidationError):
        names = dict.fromkeys(one.pointer.rsplit("/", 1)[-1] for one in _errors(error))
        return f"Not allowed as given: {', '.join(names)}; errors says why."
    if isinstance(error, IdErasedError):
        return "The event with this id was erased, so it can't be compared; nothing was stored."
    if isinstance(error, IdConflictError):
        return "An event with this id exists in the chain with other content; nothing was stored."
    if isinstance(error, (CorruptionError, DamagedEventError)):
        return "Stored data is damaged; run an audit."
    return str(error)


def _errors(error: Exception) -> list[Problem]:
    """The places that an error names. A conflict of one event is at its id; a batch names its own (``problems``)."""
    if isinstance(error, RequestValidationError):
        return [Problem(pointer(e["loc"]), e["msg"]) for e in error.errors()]
    if isinstance(error, IdErasedError) and not isinstance(error, BatchErasedError):
        return [Problem("/event_id", f"the event {name} was erased") for name in error.ids]
    if isinstance(error, IdConflictError) and not isinstance(error, (BatchConflictError, BatchErasedError)):
        return [Problem("/event_id", f"{name} exists with other content") for name in error.ids]
    return list(getattr(error, "problems", ()))


def _answer_http(request: Request, error: Exception) -> Response:
    """The problem document of what the framework refuses: no such route, or not with this method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}."
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_allowed(request))}
        detail = f"{request.method} is not allowed here; allowed: {headers['Allow']}."
    return problem(error.status_code, detail, (), headers)


def _allowed(request: Request) -> list[str]:
    """The methods of the routes that have this path."""
    methods: set[str] = set()
    for route in [*request.app.state.routes, *request.app.routes]:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
