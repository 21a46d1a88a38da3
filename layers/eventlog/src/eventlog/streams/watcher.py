"""One thread for each chain that is streamed: it reads what is new once, for all of the chain's readers.

It publishes the chain's events by seq, each once, from majority reads; a change hint only says when to look. So neither
settling nor a failover can repeat, lose or reorder anything.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import orjson

from eventlog.formats.event import Event
from eventlog.formats.sse import format_frame
from eventlog.store.errors import CorruptionError, CredentialsRefusedError, StoreError, StoreUnavailableError
from eventlog.store.interface import PAGE_BYTES, EventReader, Page, Query
from eventlog.store.interface.changes import ChangeHints
from eventlog.stored.anchor_copies import AnchorCopy
from eventlog.streams.cosigned import Announced, Checkpoints, NewLines
from eventlog.streams.listeners import Listeners
from eventlog.streams.recent import Item, RecentEvents, item_of

IDLE_SECONDS = 1.0
"""How often a chain is read though no hint says that it has grown; checkpoints are looked for as often."""

PAUSE_SECONDS = 0.01
"""Between two reads, so that a busy chain costs a hundred reads a second and not one for each event."""

SHORTER_SECONDS = 10.0
"""How long a chain may be shorter than it was: for a moment, a new primary knows less than a majority has."""

_PAGE = 1000
_KEPT_CHECKPOINTS = 16


class ShorterError(CorruptionError):
    """The chain has been shorter than what was shown of it for too long; ``size`` is what it has now."""

    def __init__(self, chain: str, size: int) -> None:
        super().__init__(f"chain {chain} is shorter than it was; run an audit")
        self.size = size


@dataclass(frozen=True, slots=True)
class Sources:
    """Where streams read, given anew for each use, as a process may connect again."""

    events: Callable[[], EventReader]
    copies: Callable[[], Checkpoints]


@dataclass(frozen=True, slots=True)
class View:
    """What a reader finds: events from its place on, how far the chain was read, and the newest checkpoints.

    ``items`` is None if the events at its place were dropped already. ``cosigned``: what witnesses have added to the
    newest checkpoint, as it came.
    """

    items: list[Item] | None
    end: int
    checkpoints: tuple[Announced, ...]
    cosigned: tuple[Announced, ...] = ()


class ChainWatcher(threading.Thread):
    """Follows a chain from its head on until it is stopped; ``failure`` says why there is nothing, or nothing more."""

    def __init__(self, chain: str, sources: Sources, changes: ChangeHints) -> None:
        super().__init__(name=f"watch {chain}", daemon=True)
        self.chain = chain
        self.failure: StoreError | None = None
        self._sources = sources
        self._changes = changes
        self._recent: RecentEvents | None = None
        self._announced: tuple[Announced, ...] = ()
        self._lines = NewLines()
        self._shorter_since: float | None = None
        self._hash: bytes | None = None
        self.listeners = Listeners()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    @property
    def started(self) -> bool:
        """Whether the chain has been read once."""
        return self._recent is not None

    @property
    def stopping(self) -> bool:
        """Whether it has ended or was told to end."""
        return self._stopping.is_set()

    def run(self) -> None:
        """Read until stopped.

        The database may be away for a while. Damage ends it, as no event may be shown behind a damaged one; and so does
        a refused password, which only another connection can help.
        """
        try:
            with self._changes as changes:
                self._follow(changes)
        finally:
            self.stop()  # whatever ended it, its readers must not go on waiting

    def _follow(self, changes: ChangeHints) -> None:
        while not self.stopping:
            try:
                self._look()
                self._stopping.wait(PAUSE_SECONDS)
                changes.wait(self._end(), IDLE_SECONDS)
            except CredentialsRefusedError as error:  # the next request is told, and has the secret read anew
                self._fail(error)
                return
            except StoreUnavailableError as error:
                self._fail(error)
                self._stopping.wait(IDLE_SECONDS / 4)
            except StoreError as error:
                self._fail(error)
                return

    def stop(self) -> None:
        """Make it end, within a second or so; its readers are told at once."""
        self._stopping.set()
        self.listeners.wake()

    def view(self, seq: int, limit: int) -> View:
        """Return what there is from a seq on."""
        with self._lock:
            assert self._recent is not None
            return View(self._recent.since(seq, limit), self._recent.end, self._announced, self._lines.frames)

    def _end(self) -> int:
        return self._recent.end if self._recent else 0

    def _look(self) -> None:
        """Publish what is new since the last look.

        Checkpoints are read before the events, so those that a checkpoint covers are read in the same look.
        """
        announced = self._new_checkpoints()
        cosigned = self._lines.look(self._sources.copies())
        if self._recent is None:
            # The first look: readers that want older events page through the chain themselves.
            found = self._sources.events().chain(self.chain)
            recent = RecentEvents(found.state.size if found else 0)
            self._hash = found.state.hash if found else None
            self._publish(recent, [], announced)
        more = True
        while more and not self.stopping:
            page = read(self._sources.events(), self.chain, self._end(), _PAGE)
            more = page.more
            self._check_size(page.size)
            self._check_link(page.events)
            # A checkpoint may come without events: they were published by an earlier look.
            if page.events or announced or cosigned:
                self._publish(self._recent, map(item_of, page.events), announced)
                announced, cosigned = (), False
        self.failure = None

    def _check_size(self, size: int) -> None:
        """Check that the chain is not shorter than it was.

        Raises:
            ShorterError: events that were shown have been gone for too long.
        """
        if size >= self._end():
            self._shorter_since = None
        elif self._shorter_since is None:
            self._shorter_since = time.monotonic()
        elif time.monotonic() - self._shorter_since > SHORTER_SECONDS:
            raise ShorterError(self.chain, size)

    def _check_link(self, events: Sequence[Event]) -> None:
        """Check that new events follow those that were shown; others may have taken their places, as after a restore.

        Raises:
            CorruptionError: they don't.
        """
        if events and self._hash is not None and events[0].prev_hash != self._hash:
            raise CorruptionError(f"the newest events of chain {self.chain} do not follow those before; run an audit")
        self._hash = events[-1].hash if events else self._hash

    def _publish(self, recent: RecentEvents | None, items: Iterable[Item], announced: tuple[Announced, ...]) -> None:
        assert recent is not None
        made = list(items)
        with self._lock:
            recent.extend(made)
            self._recent = recent
            self._announced = (*self._announced, *announced)[-_KEPT_CHECKPOINTS:]
        self.listeners.wake()

    def _new_checkpoints(self) -> tuple[Announced, ...]:
        """Read the checkpoints that were made since the last look, at first the newest one."""
        try:
            copies = self._sources.copies()
            if self._announced:
                found = list(copies.scan(self.chain, self._announced[-1].number + 1))
            else:
                newest = copies.newest(self.chain)
                found = [] if newest is None else [newest]
        except CorruptionError:  # a damaged copy of an anchor is for audits to report, and no reason to stop
            return ()
        if found:
            self._lines.follow(found[-1])
        return tuple(map(_announced, found))

    def _fail(self, error: StoreError) -> None:
        self.failure = error
        self.listeners.wake()


def read(events: EventReader, chain: str, seq: int, limit: int, max_bytes: int = PAGE_BYTES) -> Page[Event]:
    """Read a page of a chain's events from ``seq`` on, of which none may be missing.

    Raises:
        CorruptionError: one is missing, and no later event may be shown as if it came next.
        StoreUnavailableError: the database can't be reached.
    """
    page = events.page(Query(chain=chain, sort="seq", order="asc", from_seq=seq, limit=limit, max_bytes=max_bytes))
    seqs = [event.seq for event in page.events]
    end = seq + len(seqs)
    if seqs != list(range(seq, end)) or (not page.more and end < page.size):
        raise CorruptionError(f"events of chain {chain} are missing from {seq} on; run an audit")
    return page


def _announced(copy: AnchorCopy) -> Announced:
    shown = {"chain": copy.chain, "number": copy.number, "size": copy.size, "note": copy.note.decode()}
    return Announced(copy.number, copy.size, format_frame(orjson.dumps(shown), event="checkpoint"))
