"""MongoDB's filter for chains that someone is limited to (``chain_names.py``)."""

from collections.abc import Iterable
from typing import Any

from eventlog.chain_names import is_own


def among(field: str, names: Iterable[str]) -> dict[str, Any]:
    """MongoDB's filter for documents whose ``field`` is a chain that ``covers`` finds among the names."""
    conditions = [{field: _condition(name)} for name in names]
    return {"$or": conditions} if conditions else {field: {"$in": []}}


def _condition(name: str) -> dict[str, Any]:
    if not name.endswith("*"):
        return {"$eq": name}
    prefix = name[:-1]
    bounds = {"$gte": prefix, "$lt": prefix[:-1] + chr(ord(prefix[-1]) + 1)}
    return bounds if is_own(name) else bounds | {"$not": {"$regex": "^eventlog\\."}}
