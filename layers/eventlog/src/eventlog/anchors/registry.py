"""The registry: the log's own chain, whose events say which chains are anchored, and which is anchored itself.

So the audit misses a chain that was removed together with its anchors. Clients can't append to the registry, nor use
ids or types that begin with ``eventlog.`` in any chain.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from eventlog.chain_names import OWN_PREFIX, is_own
from eventlog.formats import hashing
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import make_entry
from eventlog.store.errors import StoreError
from eventlog.store.interface import Draft, EventStore, Position, Query

REGISTRY = f"{OWN_PREFIX}registry"
PRINCIPAL = "eventlog/audit"
_PAGE = 1000


class Registry:
    """Writes and reads the log's own events."""

    def __init__(self, store: EventStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._added: set[str] = set()

    def has(self, chain: str) -> bool:
        """Whether a chain is registered. False, too, if the registry is damaged: its own audit reports that."""
        try:
            return not is_own(chain) and self._store.get(REGISTRY, chain) is not None
        except StoreError:
            return False

    def add(self, chain: str, origin: str) -> None:
        """Register an anchored chain, once. The event's id is the chain's name.

        Raises:
            StoreError: the registry can't be read or appended to.
        """
        if chain == REGISTRY or chain in self._added:
            return
        if self._store.get(REGISTRY, chain) is None:
            payload = {"chain": chain, "origin": origin, "genesis": hashing.genesis(origin, chain).hex()}
            self.write(REGISTRY, chain, "eventlog.chain_registered", payload)
        self._added.add(chain)

    def names(self) -> Iterator[str]:
        """Iterate over the registered chains.

        The registry is a chain like any other, so it also has events about itself (a change of keys, a restore). Their
        ids begin with ``eventlog.``, as no registered chain's does, and name no chain.

        At the end, ``add`` knows these and no others: the registry may have been restored to an earlier state, and what
        it lost has to be registered anew.
        """
        known: set[str] = set()
        query = Query(chain=REGISTRY, sort="seq", order="asc", limit=_PAGE)
        while True:
            page = self._store.page(query)
            names = [event.entry.event_id for event in page.events if not is_own(event.entry.event_id)]
            known.update(names)
            yield from names
            if not page.more:
                self._added = known
                return
            last = page.events[-1]  # a chain may be registered meanwhile: it comes at the end, and is seen too
            query = Query(
                chain=REGISTRY,
                sort="seq",
                order="asc",
                limit=_PAGE,
                after=Position(last.entry.timestamp, last.seq),
            )

    def write(self, chain: str, event_id: str, event_type: str, payload: dict[str, Any]) -> None:
        """Append an event of the log's own. If it exists already with the same content, nothing changes.

        Raises:
            IdConflictError: it exists with other content.
            StoreError: it is not known to be stored.
        """
        # The time is not part of what a repetition must have in common, so another process may have written it before.
        now = self._clock()
        entry = make_entry(
            chain=chain,
            event_id=event_id,
            event_type=event_type,
            source_id=PRINCIPAL,
            timestamp=now,
            received_at=now,
            principal=PRINCIPAL,
            payload=canonicalize(payload).decode(),
            salt=os.urandom(16),
        )
        self._store.append(chain, [Draft(entry, id_chosen=True, time_given=False)])
