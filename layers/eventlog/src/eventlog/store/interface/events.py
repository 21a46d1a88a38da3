"""Events: how they are appended, and how they are read by page, by id and by chain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from eventlog.formats.event import ChainState, Entry, Event
from eventlog.formats.name_filter import ANY, NameFilter

Order = Literal["asc", "desc"]
E = TypeVar("E", Event, bytes)

PAGE_BYTES = 4 << 20
"""A page ends early once its documents have so many bytes, unless a query says otherwise."""


class Draft(NamedTuple):
    """An entry to append.

    ``id_chosen``: the client named it, so it may exist already. ``time_given``: the timestamp is the client's, so a
    replay must have the same. ``is_same`` says in place of that whether a stored entry under this id is this event.
    """

    entry: Entry
    id_chosen: bool = False
    time_given: bool = True
    is_same: Callable[[Entry, Entry], bool] | None = None


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

    ``size`` caps what is seen at the chain's size at the first page.
    A page ends early once its documents have ``max_bytes``. An event must have all of ``keys`` (search_keys.py).
    """

    chain: str
    sort: Literal["time", "seq"] = "time"
    order: Order = "desc"
    start_time: int | None = None
    end_time: int | None = None
    event_types: NameFilter = ANY
    source_ids: NameFilter = ANY
    keys: frozenset[str] = frozenset()
    from_seq: int | None = None
    to_seq: int | None = None
    limit: int = 100
    max_bytes: int = PAGE_BYTES
    size: int | None = None
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """Events in order, as they are or as their texts, and whether more follow.

    Also the chain's size that they were read at, and how many were settled then.

    ``indexed_version``: for a query by keys the lowest version that any of the chain's events has its keys by, 0 if one
    has none; None of an empty chain.
    """

    events: list[E]
    more: bool
    size: int
    settled_size: int
    indexed_version: int | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain's registry entry with its head; ``state.size`` counts every acknowledged event."""

    name: str
    origin: str
    settled_size: int
    state: ChainState


@dataclass(frozen=True, slots=True)
class UnreadableChain:
    """A chain whose sequence document can't be read; its audit says what is wrong."""

    name: str


class EventAppender(Protocol):
    """Appends events to hash-chained logs, many chains in one store.

    Ordering: each append gets the next contiguous sequence numbers of its chain, decided by one conditional write to
    the chain's sequence document, acknowledged by a majority. Concurrent appends are serialised by the database; there
    is never a gap or a fork.

    Idempotency: a chosen event id that exists in the chain with the same content is returned as it stands, forever;
    with other content ``IdConflictError`` is raised and nothing is stored. Retrying with the same ids is safe.

    Durability: what ``append`` returns survives the loss of a minority of the database's members. A process may die
    between any two steps: a committed entry waits in the sequence document until anyone settles it into ``events``;
    settling twice, or from many processes at once, changes nothing.
    """

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """Append all drafts of one chain in order, or none. Their ids are distinct.

        Raises:
            IdErasedError: an id is that of an event that was erased; nothing was stored.
            IdConflictError: an id exists with other content; nothing was stored.
            StoreUnavailableError: not known to be stored; retry with the same ids.
            ChainLostError: the chain has events but no sequence document.
            CorruptionError: stored data contradicts what was acknowledged.
        """
        ...

    def settle(self, chain: str) -> int:
        """Settle what is pending now; return the settled size then.

        Raises:
            StoreUnavailableError: the database can't be reached.
            CorruptionError: what is pending does not fit what is stored.
        """
        ...


class EventReader(Protocol):
    """Reads acknowledged events.

    Visibility: an event is found as soon as its append was acknowledged, pending or settled.

    Consistency: all reads are majority reads on the primary, ``sequences`` before ``events``, in one causally
    consistent session; so what was read once is never rolled back, and no append or settling under way makes an event
    appear twice or not at all.

    Every method raises StoreUnavailableError if the database can't be reached, and CorruptionError for a stored
    document that this version does not write.
    """

    def get(self, chain: str, event_id: str) -> Event | None:
        """Return the event with this id, or None if none was acknowledged."""
        ...

    def page(self, query: Query) -> Page[Event]:
        """Return one page of events.

        Raises:
            TooManyNamesError: the chain has too many types or sources that fit.
        """
        ...

    def texts(self, query: Query) -> Page[bytes]:
        """Return the same page as the JSON texts of its events (``event_json.format_event``), which is faster.

        Raises:
            TooManyNamesError: as ``page``.
            DamagedEventError: as ``format_event``.
        """
        ...

    def chains(self, after: str, limit: int, names: Sequence[str] | None = None) -> list[Chain | UnreadableChain]:
        """List chains by name, those after ``after``; only those among ``names`` (chain_names.py) unless it is None.

        One that is damaged is in its place, and the others are read all the same. What no chain can be called is left
        out: the audit reports it.
        """
        ...

    def chain(self, name: str) -> Chain | None:
        """Return one chain, or None if nothing was ever appended to it."""
        ...

    def ping(self) -> None:
        """Ask whether the primary answers.

        Raises:
            StoreUnavailableError: it doesn't.
        """
        ...


class EventStore(EventAppender, EventReader, Protocol):
    """Appends and reads."""
