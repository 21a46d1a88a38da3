"""The registry: the log's own chain, whose events say which chains are anchored, and which is anchored itself.

So the audit misses a chain that was removed together with its anchors. Clients can't append to the registry, nor use
ids or types that begin with ``eventlog.`` in any chain.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Any

from eventlog import chain_names
from eventlog.chain_names import OWN_PREFIX, is_own
from eventlog.formats import hashing
from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import Event, make_entry
from eventlog.formats.names import is_chain_name
from eventlog.formats.strike_off import StrikeOff
from eventlog.store.interface import Draft, EventStore, Position, Query

REGISTRY = chain_names.REGISTRY
PRINCIPAL = "eventlog/audit"
_AGAIN = re.compile(rf"{re.escape(OWN_PREFIX)}again-[0-9]+-(.+)")
"""The id of the second entry of a chain, or a later one: those before it were struck off before the chain existed."""
_STRUCK = f"{OWN_PREFIX}struck-off-"
_PAGE = 1000


class Registry:
    """Writes and reads the log's own events."""

    def __init__(self, store: EventStore, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._added: set[str] = set()
        self.read_to = 0
        """How many events the registry had when ``names`` was at its end last."""

    def entries(self, chain: str) -> list[Event]:
        """Read the events that register a chain: none or one, or more if those before were struck off.

        Raises:
            StoreError: the registry can't be read.
        """
        found: list[Event] = []
        while _is_registrable(chain) and (event := self._store.get(REGISTRY, _entry_id(chain, len(found)))):
            found.append(event)
        return found

    def add(self, chain: str, origin: str, is_void: Callable[[str, Event], bool] = lambda *_: False) -> None:
        """Register an anchored chain, once. The event's id is the chain's name.

        ``is_void``: whether an entry was struck off. Then there was no such chain, and now there is: it gets another.

        Raises:
            StoreError: the registry can't be read or appended to.
        """
        if chain == REGISTRY or chain in self._added:
            return
        # Of no entries all are void, so that a new chain gets its first. One entry that stands is enough: another would
        # say nothing new, and the ids of entries are numbered, so two processes that add at once write the same one.
        entries = self.entries(chain)
        if all(is_void(chain, entry) for entry in entries):
            payload = {"chain": chain, "origin": origin, "genesis": hashing.genesis(origin, chain).hex()}
            self.write(REGISTRY, _entry_id(chain, len(entries)), "eventlog.chain_registered", payload)
        self._added.add(chain)

    def names(self, start: int = 0, before: Iterable[str] = ()) -> Iterator[str]:
        """Iterate over the registered chains: those in the events from seq ``start`` on, as ``before`` it are known.

        The registry is a chain like any other, so it also has events about itself (a change of keys, a restore). Their
        ids begin with ``eventlog.``, as no registered chain's does, and name no chain. Nor does what can't be a name.

        At the end, ``add`` knows these, but for those that were struck off, and no others: the registry may have been
        restored to an earlier state, and what it lost has to be registered anew.
        """
        known = set(before)
        query = Query(chain=REGISTRY, sort="seq", order="asc", limit=_PAGE, from_seq=start)
        while True:
            page = self._store.page(query)
            for event_id in (event.entry.event_id for event in page.events):
                if event_id.startswith(_STRUCK):  # whether that holds, the note says
                    known.discard(struck_name(event_id))
                again = _AGAIN.fullmatch(event_id)
                name = again[1] if again else event_id
                if _is_registrable(name):
                    known.add(name)
                    yield name
            if not page.more:
                self._added, self.read_to = known, page.size
                return
            last = page.events[-1]  # a chain may be registered meanwhile: it comes at the end, and is seen too
            query = Query(
                chain=REGISTRY,
                sort="seq",
                order="asc",
                limit=_PAGE,
                from_seq=start,
                after=Position(last.entry.timestamp, last.seq),
            )

    def strike_off(self, entry: StrikeOff) -> None:
        """Append the event that says that an entry is void, for all to see; if it is there already, nothing changes.

        Raises:
            StoreError: it is not known to be stored.
        """
        payload = {"chain": entry.chain, "seq": entry.seq, "hash": entry.hash.hex(), "reason": entry.reason}
        digest = sha256(canonicalize(payload)).hexdigest()[:16]
        self.write(REGISTRY, f"{_STRUCK}{entry.chain}-{digest}", "eventlog.chain_struck_off", payload)

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


def struck_name(event_id: str) -> str:
    """Return the name in the id of an event that strikes it off: ``eventlog.struck-off-<name>-<16 digits>``."""
    return event_id.removeprefix(_STRUCK)[:-17]


def _is_registrable(name: str) -> bool:
    return is_chain_name(name) and not is_own(name)


def _entry_id(chain: str, before: int) -> str:
    """Return the id of a chain's next entry, after so many."""
    return f"{OWN_PREFIX}again-{before + 1}-{chain}" if before else chain
