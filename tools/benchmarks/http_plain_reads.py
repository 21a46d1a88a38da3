"""What ``tools.benchmarks.http_reads`` compares with: a plain log's page of events, in FastAPI and one find."""

from datetime import datetime
from random import Random
from typing import Annotated, Any, Literal

import orjson
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from pymongo import ASCENDING, DESCENDING, IndexModel, MongoClient

from eventlog.stored.fields import date
from tools.benchmarks import data

_FILTERS = ((), ("event_type",), ("source_id",), ("event_type", "source_id"))
_BATCH = 5_000


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


class PlainEvent(BaseModel):
    """An event with neither place nor hash: half of the fields that the log shows."""

    event_id: str
    event_type: str
    source_id: str
    timestamp: datetime
    received_at: datetime
    principal: str
    payload: dict[str, Any]


class PlainPage(BaseModel):
    """A page; ``next_time`` is where the next one goes on."""

    events: list[PlainEvent]
    next_time: datetime | None


def plain(uri: str, database: str) -> FastAPI:
    """Make the app of FastAPI's tutorial: a model of the query, a find, and a model of the answer."""
    app = FastAPI(title="plain")
    client: MongoClient[dict[str, Any]] = MongoClient(uri, readConcernLevel="majority")
    events = client[database]["events"]

    @app.get("/api/v1/events")
    def list_events(query: Annotated[PlainQuery, Query()]) -> PlainPage:
        order = DESCENDING if query.order == "desc" else ASCENDING
        found = list(events.find(query.filter()).sort("timestamp", order).limit(query.limit))
        following = found[-1]["timestamp"] if len(found) == query.limit else None
        # FastAPI checks them against the model and writes them, as its documentation says is the fastest.
        return {"events": found, "next_time": following}  # type: ignore[return-value]

    return app


def seed_plain(client: MongoClient[Any], database: str, count: int) -> None:
    """Store as many events as ``seed.seed`` does, of the same sizes, with the indexes that such pages need."""
    events = client[database]["events"]
    events.create_indexes([IndexModel([(name, 1) for name in (*names, "timestamp")]) for names in _FILTERS])
    for first in range(0, count, _BATCH):
        rng = Random(first)
        payloads = data.payloads(rng, _BATCH)
        events.insert_many(_document(rng, payload, first + place) for place, payload in enumerate(payloads))


def _document(rng: Random, payload: str, number: int) -> dict[str, Any]:
    entry = data.entry(rng, "main", payload, data.START + number * 1000)
    return {
        "_id": entry.event_id,
        "event_id": entry.event_id,
        "event_type": entry.event_type,
        "source_id": entry.source_id,
        "timestamp": date(entry.timestamp),
        "received_at": date(entry.received_at),
        "principal": entry.principal,
        "payload": orjson.loads(payload),
    }
