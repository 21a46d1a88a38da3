"""A plain log, as FastAPI's tutorial would have it: one insert, one find. It needs nothing of ours.

``tools.benchmarks.http_reads`` serves it, and ``tools.benchmarks.deployed`` builds a function of this file.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from pymongo import ASCENDING, DESCENDING, MongoClient


class PlainQuery(BaseModel):
    """Filters, order and length of a page, as anybody would declare them."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    event_type: list[str] = Field(default=[], max_length=20)
    source_id: list[str] = Field(default=[], max_length=20)
    order: Literal["asc", "desc"] = "desc"
    limit: int = Field(default=100, ge=1, le=1000)

    def filter(self) -> dict[str, Any]:
        """Write MongoDB's filter."""
        bounds = {"$gte": self.start_time, "$lt": self.end_time}
        times = {name: time for name, time in bounds.items() if time is not None}
        names = {"event_type": self.event_type, "source_id": self.source_id}
        found: dict[str, Any] = {name: {"$in": wanted} for name, wanted in names.items() if wanted}
        return found | ({"timestamp": times} if times else {})


class PlainNew(BaseModel):
    """What a client posts."""

    event_type: str = Field(min_length=1, max_length=256)
    source_id: str = Field(min_length=1, max_length=256)
    timestamp: datetime
    payload: dict[str, Any]


class PlainEvent(PlainNew):
    """An event with neither place nor hash: half of the fields that the log shows."""

    event_id: str
    received_at: datetime
    principal: str


class PlainPage(BaseModel):
    """A page; ``next_time`` is where the next one goes on."""

    events: list[PlainEvent]
    next_time: datetime | None


def plain(uri: str, database: str) -> FastAPI:
    """Make the app: models of what comes in and goes out, and MongoDB's driver."""
    app = FastAPI(title="plain")
    client: MongoClient[dict[str, Any]] = MongoClient(uri, readConcernLevel="majority", w="majority")
    events = client[database]["events"]

    @app.post("/api/v1/events", status_code=201)
    def append_event(event: PlainNew) -> dict[str, str]:
        event_id = str(uuid.uuid4())
        given = event.model_dump()
        now = datetime.now(UTC)
        events.insert_one(given | {"_id": event_id, "event_id": event_id, "received_at": now, "principal": "anonymous"})
        return {"event_id": event_id}

    @app.get("/api/v1/events")
    def list_events(query: Annotated[PlainQuery, Query()]) -> PlainPage:
        order = DESCENDING if query.order == "desc" else ASCENDING
        found = list(events.find(query.filter()).sort("timestamp", order).limit(query.limit))
        following = found[-1]["timestamp"] if len(found) == query.limit else None
        # FastAPI checks them against the model and writes them, as its documentation says is the fastest.
        return {"events": found, "next_time": following}  # type: ignore[return-value]

    return app
