"""From a request to the stream of an evidence bundle."""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated

from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from eventlog.evidence.export import ExportRange, export
from eventlog.evidence.proofs import Evidence
from eventlog.fields import ChainName, Millis
from eventlog.formats.bundle import TimeRange
from eventlog.formats.event_json import DamagedEventError
from eventlog.http import answers
from eventlog.http.access import Reader
from eventlog.http.event_query import END, START, EndTime, Seq
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.query_strings import not_below, only_with
from eventlog.store.errors import StoreError

NDJSON = "application/x-ndjson"
CONTENT = {"content": {NDJSON: {"schema": {"type": "string", "description": "An evidence bundle, one item a line"}}}}


class BrokenOffError(Exception):
    """A stream ends here: its status has been sent, so that it can't be a problem document any more."""


class ExportQuery(BaseModel):
    """Which events to export: by seq, or by time."""

    chain: ChainName = "main"
    start_time: Millis | None = Field(default=None, description=START)
    end_time: EndTime | None = Field(default=None, description=END)
    from_seq: Seq = Field(default=0, description="Inclusive; with times: go on here, at next_seq of the part before")
    to_seq: Annotated[Seq, not_below("from_seq"), only_with("start_time", None), only_with("end_time", None)] | None = (
        Field(default=None, description="Exclusive; default: all that the newest checkpoint covers")
    )


def stream(evidence: Evidence, request: Request, parameters: ExportQuery) -> StreamingResponse:
    """A bundle line by line. What fails before the first line is a problem document; later, the stream breaks off."""
    by_time = parameters.start_time is not None or parameters.end_time is not None
    wanted = ExportRange(
        chain=parameters.chain,
        from_seq=parameters.from_seq,
        to_seq=parameters.to_seq,
        window=TimeRange(parameters.start_time, parameters.end_time) if by_time else None,
        limit=answers.BODY_BYTES if "aws.event" in request.scope else None,
    )
    lines = export(evidence, wanted)
    return StreamingResponse(chain([next(lines)], _rest(lines)), media_type=NDJSON)


def _rest(lines: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from lines
    except (DamagedEventError, StoreError) as error:
        raise BrokenOffError(f"an export broke off: {error}") from error


router = api_router("query")


@router.get("/export", response_class=Response, responses={200: CONTENT, **documented(404, 422, 500, 503)})
def get_export(
    caller: Reader, wired: WiredQuery, request: Request, parameters: Annotated[ExportQuery, Query()]
) -> Response:
    """An evidence bundle: events by seq or by time with all it takes to verify them offline."""
    caller.check(parameters.chain)
    return stream(wired.evidence, request, parameters)
