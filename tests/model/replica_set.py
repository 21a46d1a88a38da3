"""A replicated database in memory, small enough to be driven through every kind of failure.

Modelled: one oplog of whole states (one sequence document, `events` and `bodies`), a commit point that lags behind its
end, local reads (the end), majority reads (a committed state, possibly an old one, as a deposed primary would
serve it, but never older than the session has seen), and failovers, which keep the committed states, roll back an
arbitrary rest and may keep uncommitted writes too. The deposed primary serves on, until the next failover, from a state
of its own that nobody will ever see again.

Not modelled: single nodes and elections (a failover is one step), transactions, secondary indexes other than the two
unique ones, more than one chain, wall-clock time. A cluster time counts writes; a failover advances it, as the
new primary's first no-op does, so a session that saw a write which was rolled back does not wait for ever.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple, TypeAlias


class Sequence(NamedTuple):
    """The chain's sequence document; `pending` holds the ids at `settled` .. `size` - 1.

    Payloads stored before `swept` that no event has may be gone.
    """

    size: int = 0
    settled: int = 0
    pending: tuple[str, ...] = ()
    swept: int = 0


class Body(NamedTuple):
    """A payload that is stored apart: of which event, at which try to append it, and when by its writer's clock."""

    event_id: str
    attempt: int
    at: int


class State(NamedTuple):
    """All that is stored; never changed in place, so that old states can be read.

    ``payloads`` says which payload the event of an id has, pending or settled: its entry names it. Others are small.
    """

    sequence: Sequence
    events: Mapping[int, str]
    bodies: frozenset[Body] = frozenset()
    payloads: Mapping[str, Body] = {}


# None: the write's condition, or a unique index, refuses it.
Change: TypeAlias = Callable[[State], State | None]


class Entry(NamedTuple):
    """One oplog entry: the cluster time of a write and the state after it."""

    time: int
    state: State


class Applied(NamedTuple):
    """Where a write went into the oplog; the entry may be rolled back later."""

    term: int
    position: int
    entry: Entry


class Session:
    """A causally consistent session: its majority reads are never older than what it has seen."""

    def __init__(self) -> None:
        self.after = 0

    def saw(self, time: int) -> None:
        """Remember the cluster time of a reply."""
        self.after = max(self.after, time)


class ReplicaSet:
    """A primary's oplog and the index up to which a majority has it."""

    def __init__(self, rng: Random, stale_reads: float) -> None:
        self.rng = rng
        self.stale_reads = stale_reads
        self.log = [Entry(0, State(Sequence(), {}))]
        self.committed = 0
        self.term = 0
        self.deposed: State | None = None
        self.time = 0

    def write(self, change: Change) -> Applied | None:
        """Apply a write on the primary at once; None if its condition refuses it."""
        state = change(self.log[-1].state)
        if state is None:
            return None
        self.time += 1
        self.log.append(Entry(self.time, state))
        return Applied(self.term, len(self.log) - 1, self.log[-1])

    def write_to_deposed(self, change: Change) -> State | None:
        """Apply a write on the primary before last, which does not know it yet: it is lost, whatever it answers."""
        state = self.deposed and change(self.deposed)
        self.deposed = state or self.deposed
        return state

    def has_committed(self, applied: Applied) -> bool:
        """Whether a majority has the write, so that no failover can take it back."""
        return applied.position <= self.committed and self.log[applied.position] is applied.entry

    def local_read(self) -> Entry:
        """The primary's own state, which a failover may take back."""
        return self.log[-1]

    def majority_read(self, after: int) -> Entry | None:
        """A committed state not older than `after`; None while there is none (the read waits)."""
        index = self.committed
        if self.log[index].time < after:
            return None
        while index and self.log[index - 1].time >= after and self.rng.random() < self.stale_reads:
            index -= 1
        return self.log[index]

    def replicate(self) -> None:
        """Move the commit point forward by one entry or more, if it lags."""
        if self.committed < len(self.log) - 1:
            self.committed = self.rng.randint(self.committed + 1, len(self.log) - 1)

    def replicate_all(self) -> None:
        """Move the commit point to the end."""
        self.committed = len(self.log) - 1

    def failover(self) -> int:
        """Elect a new primary, which has any prefix with all that is committed; returns how many entries are lost."""
        last = len(self.log) - 1
        keep = self.rng.choice((self.committed, last, self.rng.randint(self.committed, last)))
        lost = last - keep
        self.deposed = self.log[last].state
        del self.log[keep + 1 :]
        self.term += 1
        self.time += 1
        self.log.append(Entry(self.time, self.log[-1].state))
        return lost
