"""``GET /api/v1/search-fields`` and ``GET /api/v1/suggestions``: what a chain can be searched by, and for."""

from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel, Field

from eventlog.errors import InvalidError
from eventlog.fields import ChainName
from eventlog.formats.names import MAX_NAME
from eventlog.formats.strict_json import Problem
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.query_strings import DIGITS
from eventlog.http.search_query import known_fields
from eventlog.store.interface.searches import NameField

_SHOWN = 100
_NAMES = ("event_type", "source_id")


class DeclaredVersion(BaseModel, defer_build=True):
    """One declaration of search fields: each field's JSON pointers into the payload."""

    version: int
    fields: dict[str, list[str]]


class SearchedBy(BaseModel, defer_build=True):
    """What a chain can be searched by."""

    chain: str
    version: int = Field(description="The declaration in force; 0: none was ever made")
    fields: dict[str, list[str]]
    versions: list[DeclaredVersion] = Field(description=f"The last {_SHOWN}: what an older event is indexed by")
    indexed_version: int = Field(description="The lowest that any event is indexed by; 0: one is not indexed at all")


class Suggested(BaseModel, defer_build=True):
    """Values that events of a chain have."""

    chain: str
    field: str
    values: list[str]
    more: bool = Field(description="Whether there are more that begin so")


router = api_router("query")


@router.get("/search-fields", responses={200: {"model": SearchedBy}, **documented(422, 500, 503)})
def get_search_fields(caller: Reader, wired: WiredQuery, chain: ChainName = "main") -> Response:
    """The declared search fields, each version there was, and how far this chain is indexed by them."""
    newest = known_fields(wired)
    versions = [each.document() for each in wired.declared.versions(seconds=60)[-_SHOWN:]]
    # To a caller who may not see it, a chain looks as if it did not exist: nothing of it is left to be indexed.
    asks = bool(newest.version) and caller.may(chain)
    lowest = wired.searches.indexed_version(chain) if asks and any(each["fields"] for each in versions) else None
    indexed = newest.version if lowest is None else lowest
    return json_response({"chain": chain, **newest.document(), "versions": versions, "indexed_version": indexed})


class SuggestionQuery(BaseModel):
    """Which values are asked for."""

    chain: ChainName = "main"
    field: str = Field(description="event_type, source_id or a declared search field")
    prefix: str = Field(default="", max_length=MAX_NAME, description="What they begin with")
    limit: Annotated[int, Field(ge=1, le=50), DIGITS] = 10


@router.get("/suggestions", responses={200: {"model": Suggested}, **documented(422, 500, 503)})
def get_suggestions(caller: Reader, wired: WiredQuery, parameters: Annotated[SuggestionQuery, Query()]) -> Response:
    """Values of a field that begin so, in order: from an index, one entry of it for each value."""
    chain, field, prefix = parameters.chain, parameters.field, parameters.prefix
    known = known_fields(wired).fields
    if field not in _NAMES and field not in known:
        raise InvalidError([Problem("/query/field", f"is no field; known: {', '.join([*_NAMES, *sorted(known)])}")])
    found: tuple[list[str], bool] = ([], False)
    if caller.may(chain) and field in known:
        found = wired.searches.values(chain, field, prefix, parameters.limit)
    elif caller.may(chain):
        name: NameField = "event_type" if field == "event_type" else "source_id"
        found = wired.searches.names(chain, name, prefix, parameters.limit)
    return json_response({"chain": chain, "field": field, "values": found[0], "more": found[1]})
