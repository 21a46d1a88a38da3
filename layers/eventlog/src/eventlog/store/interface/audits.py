"""What an audit reads, and where its reports and leases are kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from eventlog.formats.event import ChainState, Entry
from eventlog.formats.search_keys import SearchFields
from eventlog.store.interface.database import DatabaseReads
from eventlog.store.interface.heads import HeadStore
from eventlog.store.interface.segments import SegmentStore
from eventlog.store.interface.standings import StandingStore
from eventlog.store.interface.trees import Trees
from eventlog.stored.fields import ClusterTime

LEASE_MILLIS = 30_000
"""A lease lasts this long if its holder does not renew it."""

ROUND_IDS = ("round/full", "round/incremental")
"""The ids of what is kept beside reports and leases: how far the schedule's rounds are (``audit/round.py``)."""
POSITION = "watch"
MARK = "watch/mark"
"""The ids, among the audits, of how far changes were watched and of the watcher's newest mark (``ChangeWatch``)."""


class ChainHead(NamedTuple):
    """What a sequence document says of its chain; ``oldest`` is when the oldest pending event was received."""

    chain: str
    size: int
    pending: int
    oldest: int | None


class Counted(NamedTuple):
    """How many of a chain's events an index has shown so far."""

    events: int = 0
    place: bytes | None = None
    """The key from which to go on, as a document; None at the beginning and at the end."""

    done: bool = False
    usable: bool = True
    """Whether queries can be given this index at all."""


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

    def bodies(self, entries: Iterable[Entry]) -> Mapping[str, bytes]:
        """Read the rows of entries' payloads that are stored apart, by their ids; those that are gone are left out."""
        ...

    def outside(self, end: int) -> Iterator[bytes]:
        """Read the events that ``AuditReads.scan`` leaves out: their seq is no number in 0..end-1, whatever it is."""
        ...

    @property
    def time(self) -> ClusterTime | None:
        """When the last of these reads was done; None if the database does not say."""
        ...


class AuditReads(Protocol):
    """What an audit reads: documents exactly as they are stored, also those that nobody should have written."""

    @property
    def tree(self) -> Trees:
        """The Merkle trees."""
        ...

    @property
    def database(self) -> DatabaseReads:
        """The database as a whole."""
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
        after: ClusterTime | None = None,
        arrays: bool = True,
    ) -> Iterator[bytes]:
        """Read stored events with start <= seq < end in the order of seq, as the database was at ``after`` or later.

        A document whose payload is stored apart is followed by its row (``stored.bodies.split``), if there is one.

        A row whose seq is an array may be in many ranges at once; without ``arrays`` such rows are left out.
        """
        ...

    def of_types(self, chain: str, types: Sequence[str], start: int, after: ClusterTime | None) -> Iterator[bytes]:
        """Read the stored events of these types from seq ``start`` on, in any order; else as ``scan`` does."""
        ...

    def rules(self, version: int) -> SearchFields | None:
        """Return a version of the search fields as the registry has it; None: it has no such version.

        What was read is kept; of a version that is not among it, the registry is read again.
        """
        ...

    @property
    def query_indexes(self) -> Sequence[str]:
        """The names of the indexes that queries are told to use."""
        ...

    def count_through(
        self, chain: str, index: str, end: int, before: Counted, most: int, *, after: ClusterTime | None = None
    ) -> Counted:
        """Count the events below seq ``end`` that an index shows: so many more than ``before``, or all that are left.

        As the database was at ``after`` or later.
        """
        ...

    def chain_names(self) -> list[str]:
        """List every chain that has a sequence document, an event or a copy of an anchor."""
        ...

    def heads(self) -> list[ChainHead]:
        """Read what all sequence documents say; a damaged one counts as empty."""
        ...


class ReportStore(Protocol):
    """Where audits keep their reports: documents of ``audit/report_documents.py`` and ``run_documents.py``.

    Of a document only ``_id``, ``chain``, ``mode``, ``status``, ``lease``, ``to_seq`` and ``verified`` are known here.
    What is written is committed by a majority of the replica set. Every method may raise StoreUnavailableError.
    """

    def add(self, document: bytes) -> None:
        """Store a new report."""
        ...

    def save(self, audit_id: str, document: bytes) -> None:
        """Store a report, in the place of the one with this id if there is one."""
        ...

    def renew(self, audit_id: str) -> None:
        """Say that a process is still working on an audit."""
        ...

    def get(self, audit_id: str) -> bytes | None:
        """Read a report as it is stored."""
        ...

    def newest(
        self, chain: str | None, limit: int, before: str | None, names: Sequence[str] | None = None
    ) -> list[bytes]:
        """Read reports, newest first, without what a running audit keeps; only on chains among ``names``.

        Those whose ids are no text of up to 64 characters, behind which no list could go on, are left out.
        """
        ...

    def unnamed(self, chain: str | None, limit: int, names: Sequence[str] | None = None) -> list[bytes]:
        """Read reports whose ids are no text: no version of this log wrote them."""
        ...

    def forget_verified(self, chain: str, size: int) -> None:
        """Forget that audits have verified the chain beyond ``size``: those events were lost."""
        ...

    def waiting(self) -> list[bytes]:
        """List the running audits that no process is working on, least recently worked on first, for ``take``."""
        ...

    def running(self, chains: Sequence[str], mode: str) -> set[str]:
        """Return those of the chains of which an audit in this mode is running, at work or not."""
        ...

    def take(self, key: bytes) -> bytes | None:
        """Lease one of them, so that no other process gets it; return what is stored. None: another has it."""
        ...


class AuditDatabase(AuditReads, ReportStore, Protocol):
    """What audits need of one database."""

    def settle_many(self, chains: Sequence[str]) -> dict[str, str]:
        """Settle what is pending of many chains, in a few round trips; what is not plain is left for ``settle``.

        Returns those that had nothing pending then, with their origins.

        Raises:
            StoreUnavailableError: the database can't be reached.
        """
        ...

    @property
    def standings(self) -> StandingStore:
        """What stands of each chain."""
        ...

    @property
    def all_heads(self) -> HeadStore:
        """What is read of all chains at once, and what is known of their heads."""
        ...

    @property
    def segments(self) -> SegmentStore:
        """Results of segments of long chains."""
        ...


class LeaseStore(Protocol):
    """Leases on what only one process at a time should do. Without them work is done twice, and nothing goes wrong."""

    def take(self, name: str, holder: str) -> bool:
        """Take a lease, unless a live process holds it; return whether it was free."""
        ...

    def renew(self, name: str, holder: str) -> None:
        """Extend a lease; nothing happens if another holder has it by now."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Give a lease back."""
        ...
