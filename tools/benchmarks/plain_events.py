"""The events of the plain log (``tools.benchmarks.plain_app``): as many and as large as ours."""

from random import Random
from typing import Any

import orjson
from pymongo import IndexModel, MongoClient

from eventlog.stored.fields import date
from tools.benchmarks import data

_FILTERS = ((), ("event_type",), ("source_id",), ("event_type", "source_id"))
_BATCH = 5_000


def seed_plain(client: MongoClient[Any], database: str, count: int) -> None:
    """Store as many events as ``seed.seed`` does, of the same sizes, with the indexes that its pages need."""
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
