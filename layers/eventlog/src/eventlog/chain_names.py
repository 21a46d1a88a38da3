"""Names of chains that someone is limited to: exact ones, and prefixes that end in ``*`` (never a ``*`` alone).

The log's own chains (``eventlog.``) tell of all others, so a prefix covers them only if it begins so itself: ``e*``
does not.
"""

from collections.abc import Iterable

OWN_PREFIX = "eventlog."
"""Chains, event types and event ids that begin so are the log's own (anchors/registry.py): nobody else appends such."""


def covers(names: Iterable[str], chain: str) -> bool:
    """Whether a chain is among the names."""
    return any(_covers(name, chain) for name in names)


def _covers(name: str, chain: str) -> bool:
    if not name.endswith("*"):
        return chain == name
    return chain.startswith(name[:-1]) and (is_own(name) or not is_own(chain))


def is_own(name: str) -> bool:
    """Whether a name is one of the log's own."""
    return name.startswith(OWN_PREFIX)
