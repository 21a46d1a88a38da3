"""What the routes of the query function have in common."""

from typing import Annotated

from fastapi import Depends, Path

from eventlog.formats.names import ID_PATTERN
from eventlog.http.wired import wired_by
from eventlog.wiring.query import QueryWiring

WiredQuery = Annotated[QueryWiring, Depends(wired_by(QueryWiring))]
EventId = Annotated[str, Path(pattern=ID_PATTERN)]
