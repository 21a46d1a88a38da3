"""Names of chains that someone is limited to: exact ones, and prefixes that end in ``*`` (never a ``*`` alone).

The log's own chains (``eventlog.``) tell of all others, so a prefix covers them only if it begins so itself: ``e*``
does not.
"""

from collections.abc import Iterable
from typing import Any

OWN_PREFIX = "eventlog."
"""Chains, event types and event ids that begin so are the log's own (anchors/registry.py): nobody else appends such."""


def covers(names: Iterable[str], chain: str) -> bool:
    """Whether a chain is among the names."""
    return any(_covers(name, chain) for name in names)


def among(field: str, names: Iterable[str]) -> dict[str, Any]:
    """MongoDB's filter for documents whose ``field`` is a chain that ``covers`` finds among the names."""
    conditions = [{field: _condition(name)} for name in names]
    return {"$or": conditions} if conditions else {field: {"$in": []}}


def _covers(name: str, chain: str) -> bool:
    if not name.endswith("*"):
        return chain == name
    return chain.startswith(name[:-1]) and (_is_own(name) or not _is_own(chain))


def _condition(name: str) -> dict[str, Any]:
    if not name.endswith("*"):
        return {"$eq": name}
    prefix = name[:-1]
    bounds = {"$gte": prefix, "$lt": prefix[:-1] + chr(ord(prefix[-1]) + 1)}
    return bounds if _is_own(name) else bounds | {"$not": {"$regex": "^eventlog\\."}}


def _is_own(name: str) -> bool:
    return name.startswith(OWN_PREFIX)
