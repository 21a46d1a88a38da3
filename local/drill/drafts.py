"""Events as clients of the drill's log send them."""

import os
from typing import Any
from uuid import uuid4

from eventlog.clock import now_millis
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import make_entry
from eventlog.store.interface import Draft


def new_draft(chain: str, payload: dict[str, Any], **fields: Any) -> Draft:
    """Make an event as a client sends it; ``fields`` replace those made up here."""
    now = now_millis()
    values: dict[str, Any] = {
        "chain": chain,
        "event_id": uuid4().hex,
        "event_type": "order.paid",
        "source_id": "shop",
        "timestamp": now,
        "received_at": now,
        "principal": "client",
        "salt": os.urandom(16),
    } | fields
    return Draft(make_entry(payload=canonicalize(payload).decode(), **values), id_chosen=True)
