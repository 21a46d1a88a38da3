"""Appends the events that wait in the queue (POST /api/v1/events?async=true)."""

import eventlog.start  # first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Any

from eventlog.ingest.deliveries import BatchResponse, Delivery
from eventlog.wiring.connection import Connection
from eventlog.wiring.queue import QueueWiring

wired = QueueWiring(Connection())


def handler(event: Delivery, context: Any) -> BatchResponse:
    """Append a delivery of the queue; ``{"batchItemFailures": [...]}`` names the messages to deliver again."""
    return wired.deliveries.consume(event, lambda: context.get_remaining_time_in_millis() / 1000)


eventlog.start.done()
