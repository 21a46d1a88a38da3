"""The store's contract: what appenders, readers and auditors may rely on."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from eventlog.formats.event import ChainState, Entry, Event

if TYPE_CHECKING:  # every function loads this module, and most read neither trees nor stored documents
    from eventlog.formats.proof import Node
    from eventlog.stored.fields import ClusterTime
    from eventlog.stored.sequences import SequenceImage

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


# What an audit reads, and where its reports and leases are kept.

LEASE_MILLIS = 30_000
"""So long a lease lasts that its holder does not renew."""


class ChainHead(NamedTuple):
    """What a sequence document says of its chain; ``oldest`` is when the oldest pending event was received."""

    chain: str
    size: int
    pending: int
    oldest: int | None


class NodeView(Protocol):
    """One chain's Merkle tree at one moment."""

    image: "SequenceImage"
    """The sequence document then; sizes up to ``image.size`` may be asked for."""

    def nodes(self, needed: "Collection[Node]") -> "dict[Node, bytes]":
        """Read stored nodes. They may have been tampered with: whoever asks verifies them.

        Raises:
            CorruptionError: a node is missing or is no hash.
            StoreUnavailableError: the database can't be asked.
        """
        ...


class AuditTree(Protocol):
    """The Merkle trees of all chains, as an audit needs them."""

    def newest_size(self, chain: str) -> int | None:
        """Read a chain's size so that no server answers that has just ceased to be the primary; None: no such chain."""
        ...

    def view(self, chain: str) -> AbstractContextManager[NodeView | None]:
        """Open the chain's tree as it is now; None if there is no such chain."""
        ...


class ChainReads(Protocol):
    """Reads of one chain of which none sees the database as it was before an earlier one (causally consistent)."""

    def verified(self) -> ChainState | None:
        """Read the furthest state that an audit found intact.

        Raises:
            CorruptionError: the report that says so is damaged.
        """
        ...

    def first(self) -> bytes | None:
        """Read the stored event with the lowest seq that is not negative."""
        ...

    def sequence(self) -> bytes | None:
        """Read the sequence document as it is stored."""
        ...

    def outside(self, end: int) -> Iterator[bytes]:
        """Read the events that ``AuditReads.scan`` leaves out: their seq is no number in 0..end-1, whatever it is."""
        ...

    @property
    def time(self) -> "ClusterTime | None":
        """When the last of these reads was done; None if the database does not say."""
        ...


class AuditReads(Protocol):
    """What an audit reads: documents exactly as they are stored, also those that nobody should have written."""

    @property
    def tree(self) -> AuditTree:
        """The Merkle trees."""
        ...

    def together(self, chain: str) -> AbstractContextManager[ChainReads]:
        """Open a session for reads of one chain that belong together."""
        ...

    def scan(
        self,
        chain: str,
        start: int,
        end: int | None,
        limit: int = 0,
        *,
        after: "ClusterTime | None" = None,
        arrays: bool = True,
    ) -> Iterator[bytes]:
        """Read stored events with start <= seq < end in the order of seq, as the database was at ``after`` or later.

        A row whose seq is an array may be in many ranges at once; without ``arrays`` such rows are left out.
        """
        ...

    def chain_names(self) -> list[str]:
        """List every chain that has a sequence document or an event."""
        ...

    def heads(self) -> list[ChainHead]:
        """Read what all sequence documents say; a damaged one counts as empty."""
        ...

    def rows_without_chain(self, limit: int) -> list[str]:
        """List the ids of rows that are in no chain at all, as their chain is no text."""
        ...


class ReportStore(Protocol):
    """Where audits keep their reports: documents that ``audit/documents.py`` writes and reads.

    Of a document only ``_id``, ``chain``, ``mode``, ``status``, ``lease``, ``to_seq`` and ``verified`` are known here.
    What is written is committed by a majority of the replica set. Every method may raise StoreUnavailableError.
    """

    def add(self, document: bytes) -> None:
        """Store a new report."""
        ...

    def save(self, audit_id: str, document: bytes) -> None:
        """Store a report in the place of the one with this id."""
        ...

    def renew(self, audit_id: str) -> None:
        """Say that somebody is at work on an audit."""
        ...

    def get(self, audit_id: str) -> bytes | None:
        """Read a report as it is stored."""
        ...

    def newest(
        self, chain: str | None, limit: int, before: str | None, names: Sequence[str] | None = None
    ) -> list[bytes]:
        """Read reports, newest first, without what a running audit keeps; only on chains among ``names``."""
        ...

    def forget_verified(self, chain: str, size: int) -> None:
        """Forget that audits have verified the chain beyond ``size``: those events were lost."""
        ...

    def take_running(self) -> str | None:
        """Lease an audit that is running but has nobody at work, so that nobody else gets it; its id."""
        ...

    def is_running(self, mode: str) -> bool:
        """Whether an audit in this mode has not come to its end, at work or not."""
        ...


class AuditDatabase(AuditReads, ReportStore, Protocol):
    """What audits need of one database."""


class LeaseStore(Protocol):
    """Leases on what only one process at a time should do. Nothing rests on them but that work is not done twice."""

    def take(self, name: str, holder: str) -> bool:
        """Take a lease, unless somebody who is at work holds it; whether it was to be had."""
        ...

    def renew(self, name: str, holder: str) -> None:
        """Say that the holder is still at work; nothing happens if the lease is another's by now."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""
        ...
