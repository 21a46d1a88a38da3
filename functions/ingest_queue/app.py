"""Appends the events that wait in the queue (POST /api/v1/events?async=true)."""

import eventlog.start  # first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Any

from eventlog.ingest.deliveries import Deliveries
from eventlog.wiring.resources import Resources

deliveries = Deliveries(Resources(), service="ingest_queue")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A delivery of the queue -> ``{"batchItemFailures": [...]}``, what to deliver again."""
    return deliveries.consume(event, lambda: context.get_remaining_time_in_millis() / 1000)


eventlog.start.done()
