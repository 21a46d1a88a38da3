"""Errors as problem documents (RFC 9457): the one table of status codes."""

from collections.abc import Iterable
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from eventlog.errors import BatchConflictError, InvalidError, NotFoundError, TooLargeError, UnsupportedError
from eventlog.fields import pointer
from eventlog.formats.event_json import DamagedEventError
from eventlog.formats.strict_json import MAX_POINTER, MAX_PROBLEMS, MalformedJSONError, Problem
from eventlog.http.access import AccessError, ScopeError, UnknownCallerError
from eventlog.store.errors import CorruptionError, CredentialsRefusedError, IdConflictError, StoreUnavailableError

MEDIA_TYPE = "application/problem+json"

"""What a problem document shows at most: an answer must not outgrow the request it refuses."""

STATUS: dict[type[Exception], int] = {
    MalformedJSONError: 400,
    UnknownCallerError: 401,
    ScopeError: 403,
    NotFoundError: 404,
    IdConflictError: 409,
    TooLargeError: 413,
    UnsupportedError: 415,
    InvalidError: 422,
    RequestValidationError: 422,
    CorruptionError: 500,
    DamagedEventError: 500,
    StoreUnavailableError: 503,
}


class FieldError(BaseModel):
    """One thing that is wrong."""

    pointer: str = Field(description="RFC 6901 pointer into the body; /query/NAME or /path/NAME for parameters")
    detail: str


class ProblemDocument(BaseModel):
    """An error as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these problems."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(
    status: int, detail: str, errors: Iterable[Problem] = (), headers: dict[str, str] | None = None
) -> Response:
    """A problem document as a response."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [
            {"pointer": _short(error.pointer), "detail": error.detail} for error in islice(errors, MAX_PROBLEMS)
        ],
    }
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def _short(pointer: str) -> str:
    """The pointer, or the nearest container's whose pointer isn't absurdly long."""
    while len(pointer) > MAX_POINTER:
        pointer = pointer.rpartition("/")[0]
    return pointer


def install(app: FastAPI) -> None:
    """Answer every error of ours and of the framework with a problem document."""
    for kind in STATUS:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(HTTPException, _answer_http)


def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, CredentialsRefusedError):
        request.app.state.resources.refused()  # the next request may find another password
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return problem(status, _detail(error), _errors(error), _headers(error, status))


def _headers(error: Exception, status: int) -> dict[str, str] | None:
    if isinstance(error, AccessError):
        return {"WWW-Authenticate": error.challenge}
    return {"Retry-After": "1"} if status == 503 else None


def _detail(error: Exception) -> str:
    if isinstance(error, (MalformedJSONError, InvalidError, TooLargeError, UnsupportedError)):
        return "The request was refused and nothing was stored; errors says what is wrong where."
    if isinstance(error, RequestValidationError):
        return "A parameter is not allowed; errors says which."
    if isinstance(error, IdConflictError):
        return "An event with this id exists in the chain with other content; nothing was stored."
    if isinstance(error, (CorruptionError, DamagedEventError)):
        return "Stored data is damaged; run an audit."
    return str(error)


def _errors(error: Exception) -> list[Problem]:
    if isinstance(error, RequestValidationError):
        return [Problem(pointer(e["loc"]), e["msg"]) for e in error.errors()]
    if isinstance(error, IdConflictError) and not isinstance(error, BatchConflictError):
        return [Problem("/event_id", f"{name} exists with other content") for name in error.ids]
    return list(getattr(error, "problems", ()))


def _answer_http(request: Request, error: Exception) -> Response:
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
    methods: set[str] = set()
    for route in [*request.app.state.routes, *request.app.routes]:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods)
