"""The chain names that a caller is limited to: exact ones, and prefixes that end in ``*`` (never a ``*`` alone).

The log's own chains (``eventlog.``) tell about all others. So a prefix covers them only if it starts with ``eventlog.``
itself: ``e*`` does not.
"""

from collections.abc import Iterable

OWN_PREFIX = "eventlog."
"""Chains, event types and event ids with this prefix are reserved for the log itself (anchors/registry.py)."""

REGISTRY = f"{OWN_PREFIX}registry"
"""The chain of the log itself (anchors/registry.py)."""


def covers(names: Iterable[str], chain: str) -> bool:
    """Return whether one of the names is this chain or a prefix that covers it."""
    return any(_covers(name, chain) for name in names)


def _covers(name: str, chain: str) -> bool:
    if not name.endswith("*"):
        return chain == name
    return chain.startswith(name[:-1]) and (is_own(name) or not is_own(chain))


def is_own(name: str) -> bool:
    """Return whether a name is one of the log's own."""
    return name.startswith(OWN_PREFIX)
