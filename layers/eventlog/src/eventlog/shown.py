"""Stored events as every route shows them; one that was damaged is refused, never shown as something else."""

from typing import Any

import orjson

from eventlog.formats import event_json
from eventlog.formats.event import Event
from eventlog.store.errors import CorruptionError


def shown_fields(event: Event) -> dict[str, Any]:
    """See ``event_json.event_fields``.

    Raises:
        CorruptionError: it has a payload or a time that no append has stored.
    """
    try:
        return event_json.event_fields(event)
    except ValueError as error:
        raise CorruptionError(f"event {event.seq} of chain {event.entry.chain} is damaged: {error}") from error


def shown_json(event: Event) -> bytes:
    """The JSON text of an event.

    Raises:
        CorruptionError: as in ``shown_fields``.
    """
    return orjson.dumps(shown_fields(event))
