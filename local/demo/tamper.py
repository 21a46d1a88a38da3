"""Tampers as someone with access to the database could: changes a stored payload and nothing else."""

import json
from typing import Any

import rfc8785
from pymongo.collection import Collection

from local.machine import LocalError


def edit_payload(events: Collection[dict[str, Any]], chain: str, seq: int) -> tuple[str, str]:
    """Change one member of one stored payload; return its canonical text before and after."""
    where = {"chain": chain, "seq": seq}
    stored = events.find_one(where)
    if stored is None:
        raise LocalError(f"MongoDB has no event with seq {seq} in chain {chain}.")
    before = str(stored["payload"])
    payload = json.loads(before, parse_int=float)  # canonical text has doubles only
    changed = rfc8785.dumps(forge(payload)).decode()
    events.update_one(where, {"$set": {"payload": changed}})
    return before, changed


def forge(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload with a change in its first number, or else its first text, or else with a new member."""
    for kind in (float, str):
        for name, value in payload.items():
            if isinstance(value, kind):
                return payload | {name: (0.0 if value else 1.0) if kind is float else f"{value} (edited)"}
    return payload | {"edited": not payload.get("edited")}
