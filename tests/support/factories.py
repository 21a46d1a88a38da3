"""Events for tests."""

import os
import time
from typing import Any
from uuid import uuid4

from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import make_entry
from eventlog.store.interface import Draft


def draft(event_id: str | None = None, **fields: Any) -> Draft:
    """A draft; the id counts as chosen when it is given."""
    payload = canonicalize(fields.pop("payload", {"n": 1})).decode()
    values: dict[str, Any] = {
        "chain": "main",
        "event_type": "user.login",
        "source_id": "app",
        "timestamp": 1_700_000_000_000,
        "received_at": int(time.time() * 1000),
        "principal": "anonymous",
        "salt": os.urandom(16),
    } | fields
    entry = make_entry(event_id=event_id or uuid4().hex, payload=payload, **values)
    return Draft(entry, id_chosen=event_id is not None)
