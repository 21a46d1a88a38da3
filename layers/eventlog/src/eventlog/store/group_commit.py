"""Group commit: appends to one chain that wait together in one process go in one write.

Whoever finds no write under way for its chain goes at once; what comes meanwhile waits and goes together in the next
one. There is no timer, so a caller alone never waits. Writes of one chain never wait for another's.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

from eventlog.store.errors import IdConflictError, StoreError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed

MAX_EVENTS = 500
MAX_SIZE = 1 << 20
"""What one write takes of several appends: events, and about as many bytes. A larger append goes alone."""

WAIT_SECONDS = 8.0
"""How long an append waits for its turn. Once it is being written, the store's own time limits hold."""

_WRITERS = 32
_ENTRY_SIZE = 512

_Append = Callable[[str, Sequence[Draft]], list[Placed]]
_Outcome = list[Placed] | Exception
_Lane = tuple[str, bool]
"""A chain, and whether ids were chosen: those need a look-up first, and only they may be pushed again."""


class _Waiting:
    """One caller's append until it is written; cancelling its future takes it back while nobody has begun."""

    __slots__ = ("drafts", "future", "ids", "loop", "size")

    def __init__(self, drafts: Sequence[Draft], loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.drafts = drafts
        self.ids = {draft.entry.event_id for draft in drafts}
        self.size = sum(len(draft.entry.payload) + _ENTRY_SIZE for draft in drafts)
        self.future: Future[list[Placed]] = Future()
        self.loop = loop

    def give_up(self) -> None:
        """After waiting too long for its turn.

        Raises:
            StoreUnavailableError: nothing was begun; but if it was, this returns.
        """
        if self.future.cancel():
            raise StoreUnavailableError("too many appends wait for this chain; nothing was stored")


class GroupCommit:
    """``EventStore.append``, with the same contract for each caller, over one that takes several callers' drafts.

    All drafts of a caller go in one write, next to each other and in their order. Two callers' appends with an id in
    common go in two writes, so the later one is answered as a replay or a conflict. A conflict is told to those whose
    ids it is about, and the others, of whom nothing was stored, are written without them. Any other failure of a
    write is told to everyone in it, and none of them is written again: its outcome may be unknown.
    """

    def __init__(self, append: _Append) -> None:
        self._append = append
        self._lock = threading.Lock()
        self._lanes: dict[_Lane, deque[_Waiting]] = {}  # a lane is there as long as someone writes
        self._writers = ThreadPoolExecutor(_WRITERS, "append")

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """See ``EventStore.append``; writes in the calling thread if nobody else writes."""
        waiting = _Waiting(drafts)
        lane = _lane(chain, drafts)
        if self._enter(lane, waiting):
            self._write(lane)
        try:
            return waiting.future.result(WAIT_SECONDS)
        except TimeoutError:
            waiting.give_up()
            return waiting.future.result()
        finally:
            waiting.future.cancel()

    async def append_async(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """The same for a coroutine; another thread writes."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(drafts, loop)
        lane = _lane(chain, drafts)
        told = asyncio.Event()
        waiting.future.add_done_callback(lambda _: told.set())  # called in the loop, see _tell
        if self._enter(lane, waiting):
            self._start(lane)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await told.wait()
        except TimeoutError:
            waiting.give_up()
            await told.wait()
        finally:
            waiting.future.cancel()
        return waiting.future.result()

    def _enter(self, lane: _Lane, waiting: _Waiting) -> bool:
        """Queue; whether nobody writes, so that it is the caller's turn."""
        with self._lock:
            queue = self._lanes.get(lane)
            if queue is None:
                self._lanes[lane] = deque([waiting])
                return True
            queue.append(waiting)
            return False

    def _start(self, lane: _Lane) -> None:
        """Let another thread write; each does one write and queues again, so that no lane holds up the others."""
        try:
            self._writers.submit(self._write, lane)
        except RuntimeError:  # no thread can be started: the interpreter ends
            with self._lock:
                left = self._lanes.pop(lane, ())
            _fail(left, StoreUnavailableError("this process ends; nothing was stored"))

    def _write(self, lane: _Lane) -> None:
        """One write of what waits in a lane; what comes meanwhile is left to the next."""
        taken: list[_Waiting] = []
        try:
            self._take(lane, taken)
            self._commit(lane[0], taken)
        except Exception as error:
            _fail(taken, error)
        except BaseException:
            _fail(taken, StoreUnavailableError("interrupted; retry with the same event_id"))
            raise
        finally:
            with self._lock:
                waits = bool(self._lanes.get(lane))
                if not waits:
                    self._lanes.pop(lane, None)
            if waits:
                self._start(lane)

    def _take(self, lane: _Lane, taken: list[_Waiting]) -> None:
        """The longest-waiting append and those after it that fit; who has an id in common with them comes next."""
        left: deque[_Waiting] = deque()
        ids: set[str] = set()
        size, full = 0, False
        with self._lock:
            for waiting in self._lanes.get(lane, ()):
                over = len(ids) + len(waiting.ids) > MAX_EVENTS or size + waiting.size > MAX_SIZE
                full = full or (over and bool(taken))  # nobody smaller overtakes who doesn't fit
                if full or not ids.isdisjoint(waiting.ids):
                    left.append(waiting)
                elif not waiting.future.done():
                    taken.append(waiting)
                    ids |= waiting.ids
                    size += waiting.size
            if lane in self._lanes:
                self._lanes[lane] = left
        taken[:] = [waiting for waiting in taken if waiting.future.set_running_or_notify_cancel()]

    def _commit(self, chain: str, taken: Sequence[_Waiting]) -> None:
        """Write, without those whose ids are in conflict; of a write with a conflict nothing was stored."""
        while taken:
            try:
                placed = iter(self._append(chain, [draft for waiting in taken for draft in waiting.drafts]))
            except IdConflictError as error:
                others = _refuse(taken, error)
                if len(others) == len(taken):
                    raise RuntimeError("a conflict about nobody's ids") from error
                taken = others
            else:
                _tell((waiting, list(islice(placed, len(waiting.drafts)))) for waiting in taken)
                return


def _lane(chain: str, drafts: Iterable[Draft]) -> _Lane:
    return chain, any(draft.id_chosen for draft in drafts)


def _refuse(taken: Iterable[_Waiting], error: IdConflictError) -> list[_Waiting]:
    """Tell the conflict to those who sent one of its ids; return the others."""
    conflicts = {waiting: [name for name in error.ids if name in waiting.ids] for waiting in taken}
    _tell((waiting, IdConflictError(ids)) for waiting, ids in conflicts.items() if ids)
    return [waiting for waiting, ids in conflicts.items() if not ids]


def _fail(taken: Iterable[_Waiting], error: Exception) -> None:
    """End those that have no outcome yet. Each gets a store's error of its own, as a raised one carries a traceback."""
    outcomes: list[tuple[_Waiting, _Outcome]] = []
    for waiting in taken:
        own = type(error)(*error.args) if isinstance(error, StoreError) else error
        own.__cause__ = error.__cause__
        outcomes.append((waiting, own))
    _tell(outcomes)


def _tell(outcomes: Iterable[tuple[_Waiting, _Outcome]]) -> None:
    """Hand over the outcomes: to all callers of an event loop at once, as waking it for each would take turns with it
    for the interpreter's lock."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Waiting, _Outcome]]] = {}
    for waiting, outcome in outcomes:
        by_loop.setdefault(waiting.loop, []).append((waiting, outcome))
    for loop, some in by_loop.items():
        if loop is None:
            _end(some)
        else:
            with suppress(RuntimeError):  # it is closed, and nobody waits any more
                loop.call_soon_threadsafe(_end, some)


def _end(outcomes: Iterable[tuple[_Waiting, _Outcome]]) -> None:
    for waiting, outcome in outcomes:
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
