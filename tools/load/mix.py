"""The events that are sent: sizes and types as in applications' audit logs, each with its own mark."""

import json
import time
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import uuid4

from eventlog.formats.times import format_time

TYPES = ("user.login", "user.logout", "order.created", "order.paid", "document.read", "document.changed")
_FILL = (40, 60, 80, 120, 200, 400, 2000)
"""Bytes of filling."""
_LARGE = (16 << 10, 64 << 10, 200 << 10)
_LARGE_SHARE = 0.02
"""So many of the events have a payload that is stored apart from its event, of one of these sizes."""


@dataclass(frozen=True, slots=True)
class Made:
    """An event as it will be sent, again and again if need be."""

    mark: str
    chain: str
    fields: dict[str, Any]
    headers: dict[str, str]

    @property
    def body(self) -> bytes:
        """The request's body."""
        return json.dumps(self.fields).encode()

    @property
    def params(self) -> dict[str, str]:
        """The query parameters; a CloudEvent has no member for the chain."""
        return {} if "chain" in self.fields else {"chain": self.chain}


class Mix:
    """Makes events for a run's chains; the first chain gets half of them."""

    def __init__(self, rng: Random, chains: list[str]) -> None:
        self._rng = rng
        self._chains = chains

    def chain(self) -> str:
        """Choose the next event's chain."""
        return self._chains[0] if self._rng.random() < 0.5 else self._rng.choice(self._chains)

    def native(self, chain: str | None = None, *, own_id: bool = False) -> Made:
        """Make an event in the log's own form."""
        mark, chain = str(uuid4()), chain or self.chain()
        fields = {
            "chain": chain,
            "event_type": self._rng.choice(TYPES),
            "timestamp": _now(),
            "source_id": self._source(),
            "payload": self._payload(mark),
        }
        if own_id:
            fields["event_id"] = f"own-{mark}"
        return Made(mark, chain, fields, {"Content-Type": "application/json"})

    def cloudevent(self, *, binary: bool = False) -> Made:
        """Make a CloudEvent 1.0 in structured or binary mode."""
        # Binary mode: attributes are ``ce-`` headers and the body is the data. Structured mode: the body has both.
        mark = str(uuid4())
        about = {
            "specversion": "1.0",
            "id": mark,
            "type": self._rng.choice(TYPES),
            "source": f"//{self._source()}",
            "time": _now(),
        }
        if binary:
            headers = {f"ce-{name}": value for name, value in about.items()} | {"Content-Type": "application/json"}
            return Made(mark, self.chain(), self._payload(mark), headers)
        fields = about | {"data": self._payload(mark)}
        return Made(mark, self.chain(), fields, {"Content-Type": "application/cloudevents+json"})

    def _source(self) -> str:
        return f"shop/web-{self._rng.randrange(8)}"

    def _payload(self, mark: str) -> dict[str, Any]:
        sizes = _LARGE if self._rng.random() < _LARGE_SHARE else _FILL
        filling = self._rng.randbytes(self._rng.choice(sizes) // 2).hex()
        return {"mark": mark, "user": f"u-{self._rng.randrange(1000)}", "amount": self._rng.random(), "text": filling}


def _now() -> str:
    return format_time(time.time_ns() // 1_000_000)


def mark_of(event: dict[str, Any]) -> str | None:
    """Return the mark of an event as the log shows it, None if it is not one of a run."""
    payload = event["payload"]
    data = payload if "mark" in payload else payload.get("data")
    return data.get("mark") if isinstance(data, dict) else None
