"""One strict reading of query strings, for every route of the API, on a server and behind API Gateway alike.

The framework takes the last of repeated values, passes over names that a route does not have, and replaces bytes that
are not UTF-8; pydantic takes ``1_0``, ``+5`` and digits of any script for numbers. Each of these turns what a caller
meant into another question, and a log that answers another question with 200 hides events. So it is 422 instead.

API Gateway hands over the query string as it was sent, in ``rawQueryString`` (payload format 2.0). What it has in
``queryStringParameters`` is not read: values of one name are joined by commas there, as if they were one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import get_origin
from urllib.parse import unquote, unquote_to_bytes

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationInfo

from eventlog.errors import InvalidError
from eventlog.fields import pointer
from eventlog.formats.strict_json import Problem

_SENDABLE = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
"""Printable ASCII; a percent sign only before two hexadecimal digits (RFC 3986, sections 2.1 and 3.4)."""
_KNOWN = "parameters that are known"
"""Where a route keeps them; no attribute has blanks in its name."""


def check_query_string(request: Request) -> None:
    """Refuse a query string that can't be read in one way as parameters of the request's route.

    Raises:
        InvalidError: it is no percent-encoded UTF-8, or has a name that the route does not know, or one twice that may
            stand there once.
    """
    raw: bytes = request.scope["query_string"]
    if not raw:
        return
    # The framework reads what is unreadable as something else, so names are only looked at where there is none of it.
    problems = list(_unreadable(raw)) or list(_misplaced(request))
    if problems:
        raise InvalidError(problems)


def _unreadable(raw: bytes) -> Iterator[Problem]:
    for part in raw.split(b"&"):
        try:
            if not _SENDABLE.fullmatch(part):
                raise ValueError("must be ASCII, with every other byte and the percent sign percent-encoded")
            unquote_to_bytes(part).decode()
        except ValueError as error:
            words = "must be percent-encoded UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            name = unquote(part.partition(b"=")[0].decode(errors="replace"))
            yield Problem(pointer(("query", name)), words)


def _misplaced(request: Request) -> Iterator[Problem]:
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known: dict[str, bool] | None = route.__dict__.get(_KNOWN)
    if known is None:  # the same for every request
        known = route.__dict__[_KNOWN] = _parameters(route.dependant)
    counts = Counter(name for name, _ in request.query_params.multi_items())
    for name, count in counts.items():
        if name not in known:
            yield Problem(pointer(("query", name)), f"is no parameter here; {_allowed(route, known)}")
        elif count > 1 and not known[name]:
            yield Problem(pointer(("query", name)), f"is there {count} times; it can have one value only")


def _parameters(dependant: Dependant) -> dict[str, bool]:
    """The names of a route's parameters, each with whether it may be repeated."""
    found: dict[str, bool] = {}
    for field in dependant.query_params:
        model = field.field_info.annotation
        # A route has a model of all its parameters, or names them one by one.
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, info in model.model_fields.items():
                found[info.alias or name] = get_origin(info.annotation) is list
        else:
            found[field.alias] = get_origin(model) is list
    for other in dependant.dependencies:
        found |= _parameters(other)
    return found


def _allowed(route: APIRoute, known: dict[str, bool]) -> str:
    if known:
        return f"allowed: {', '.join(known)}"
    return "what this route takes is in its body" if "POST" in (route.methods or ()) else "this route has none"


def _digits(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("must be a whole number in digits 0 to 9")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


DIGITS = BeforeValidator(_digits)
"""Makes an ``int`` of a parameter one that is written in ASCII digits alone; it stands behind the limits."""
FLAG = BeforeValidator(_flag)
"""Makes a ``bool`` of a parameter one that is written ``true`` or ``false``."""


def not_below(start: str) -> AfterValidator:
    """Refuse a range's end that is before its start, the field of this name, which must be declared first."""

    def check(value: int, others: ValidationInfo) -> int:
        low = others.data.get(start)
        if low is not None and value < low:
            raise ValueError(f"must not be before {start}: the range would be reversed")
        return value

    return AfterValidator(check)


def only_with(name: str, wanted: object) -> AfterValidator:
    """Refuse a field unless the one of this name, which must be declared first, has the value that it goes with.

    ``wanted`` None: it goes only without the other.
    """

    def check(value: object, others: ValidationInfo) -> object:
        if name in others.data and others.data[name] != wanted:
            other = f"{name}={others.data[name]}: it needs {name}={wanted}" if wanted is not None else name
            raise ValueError(f"does not go with {other}")
        return value

    return AfterValidator(check)
