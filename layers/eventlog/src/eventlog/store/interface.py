"""The store's contract: what appenders, readers and auditors may rely on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from eventlog.formats.event import ChainState, Entry, Event

Order = Literal["asc", "desc"]

PAGE_BYTES = 4 << 20


class Draft(NamedTuple):
    """An entry to append. ``id_chosen``: the client named it, so it may exist already; ``time_given``: the timestamp
    is the client's, so a replay must have the same."""

    entry: Entry
    id_chosen: bool = False
    time_given: bool = True


class Placed(NamedTuple):
    """An event and whether it stood in the log before this append."""

    event: Event
    replayed: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the last event's timestamp (milliseconds) and seq."""

    timestamp: int
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A page of one chain's events. Times are milliseconds, [start_time, end_time); seqs [from_seq, to_seq).

    Empty ``event_types`` or ``source_ids`` mean any. ``size`` caps what is seen at the chain's size at the first page.
    A page ends early once its documents have ``max_bytes``.
    """

    chain: str
    sort: Literal["time", "seq"] = "time"
    order: Order = "desc"
    start_time: int | None = None
    end_time: int | None = None
    event_types: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    from_seq: int | None = None
    to_seq: int | None = None
    limit: int = 100
    max_bytes: int = PAGE_BYTES
    size: int | None = None
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order, whether more follow, the chain's size they were read at, and how many were settled then."""

    events: list[Event]
    more: bool
    size: int
    settled_size: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's registry entry with its head; ``state.size`` counts every acknowledged event."""

    name: str
    origin: str
    settled_size: int
    state: ChainState


class EventStore(Protocol):
    """An ordered, hash-chained log of events, many chains in one store.

    Ordering: each append gets the next contiguous sequence numbers of its chain, decided by one conditional write to
    the chain's sequence document. Concurrent appends are serialised by the server; there are no gaps and no forks.

    Durability: when ``append`` returns, order and content are committed by a majority of the replica set. What it
    raises instead was not acknowledged: ``StoreUnavailableError`` leaves open whether the events are in.

    Idempotency: a chosen event id that exists in the chain with the same content is returned as it stands, forever;
    with other content ``IdConflictError`` is raised and nothing is stored. Retrying with the same ids is safe.

    Crashes: a process may die between any two steps. A committed entry waits in the sequence document until anyone
    settles it into ``events``; settling twice, or from many processes at once, changes nothing.

    Visibility: ``get`` and ``page`` show an acknowledged event at once, pending or settled. All reads are majority
    reads on the primary, sequences before events, in one causally consistent session.
    """

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """Append all drafts of one chain in order, or none. The ids are distinct.

        Raises:
            IdConflictError, StoreUnavailableError, ChainLostError, CorruptionError
        """
        ...

    def settle(self, chain: str) -> int:
        """Settle what is pending now; return the settled size then."""
        ...

    def get(self, chain: str, event_id: str) -> Event | None:
        """The acknowledged event with this id, pending or settled."""
        ...

    def page(self, query: Query) -> Page:
        """One page of acknowledged events."""
        ...

    def chains(self, after: str, limit: int, names: Sequence[str] | None = None) -> list[Chain]:
        """Chains by name, those after ``after``; only those among ``names`` (chain_names.py)."""
        ...

    def chain(self, name: str) -> Chain | None:
        """One chain, or None if nothing was ever appended to it."""
        ...
