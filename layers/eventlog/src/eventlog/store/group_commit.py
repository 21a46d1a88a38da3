"""Group commit: appends to one chain that wait in one process at the same time share one write.

An append that finds no write under way for its chain is written at once. Those that come meanwhile wait, and share the
next write. There is no timer, so a single caller never waits. Writes of one chain never wait for another's.
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
"""What several appends may share one write for: events, and about so many bytes. A larger append is written alone."""

WAIT_SECONDS = 8.0
"""How long an append waits for its turn. Once it is being written, the store's own time limits apply."""

_WRITERS = 32
_ENTRY_SIZE = 512

_Append = Callable[[str, Sequence[Draft]], list[Placed]]
_Outcome = list[Placed] | Exception
_Lane = tuple[str, bool]
"""A chain, and whether its ids were chosen by clients: these need a look-up, and only these may be pushed again."""


class _Waiting:
    """One caller's append until it is written; cancelling its future takes it back unless its write has begun."""

    __slots__ = ("drafts", "future", "ids", "loop", "size")

    def __init__(self, drafts: Sequence[Draft], loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.drafts = drafts
        self.ids = {draft.entry.event_id for draft in drafts}
        self.size = sum(len(draft.entry.payload) + _ENTRY_SIZE for draft in drafts)
        self.future: Future[list[Placed]] = Future()
        self.loop = loop

    def give_up(self) -> None:
        """Take the append back after it has waited too long for its turn; return if its write has begun.

        Raises:
            StoreUnavailableError: it was taken back.
        """
        if self.future.cancel():
            raise StoreUnavailableError("too many appends wait for this chain; nothing was stored")


class GroupCommit:
    """``EventAppender.append`` for many callers at once, each with the same contract as if it were alone.

    All drafts of a caller go in one write, next to each other and in their order. Appends of two callers with an id in
    common go in two writes, so that the later one is answered as a replay or a conflict.

    Of a write with a conflict nothing is stored: the callers whose ids it is about get it, and the others are written
    without them. Any other failure goes to every caller in the write, and none of them is written again, as the
    outcome may be unknown.
    """

    def __init__(self, append: _Append) -> None:
        self._append = append
        self._lock = threading.Lock()
        self._lanes: dict[_Lane, deque[_Waiting]] = {}  # a lane is there as long as someone writes
        self._writers = ThreadPoolExecutor(_WRITERS, "append")

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """Append; see ``EventAppender.append``. It writes in the calling thread if no write is under way."""
        waiting = _Waiting(drafts)
        lane = _lane(chain, drafts)
        if self._enter(lane, waiting):
            self._write(lane)
        try:
            return waiting.future.result(WAIT_SECONDS)
        except TimeoutError:
            waiting.give_up()
            return waiting.future.result()  # being written: it is worth waiting for the outcome
        finally:
            waiting.future.cancel()  # the caller was interrupted: not to be written, unless that has begun

    async def append_async(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        """Append, for a coroutine; another thread writes."""
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
            # If it is being written by now, giving up does nothing, and the outcome is worth waiting for.
            waiting.give_up()
            await told.wait()
        finally:
            waiting.future.cancel()
        return waiting.future.result()

    def _enter(self, lane: _Lane, waiting: _Waiting) -> bool:
        """Queue an append; return whether the caller has to start the write, as none is under way."""
        with self._lock:
            queue = self._lanes.get(lane)
            if queue is None:
                self._lanes[lane] = deque([waiting])
                return True
            queue.append(waiting)
            return False

    def _start(self, lane: _Lane) -> None:
        """Let another thread write. Each job is one write, so that no busy lane keeps the threads from the others."""
        try:
            self._writers.submit(self._write, lane)
        except RuntimeError:  # no thread can be started: the interpreter ends
            with self._lock:
                left = self._lanes.pop(lane, ())
            _fail(left, StoreUnavailableError("this process ends; nothing was stored"))

    def _write(self, lane: _Lane) -> None:
        """Write once what waits in a lane; what comes meanwhile is left to the next write."""
        taken: list[_Waiting] = []
        try:
            self._take(lane, taken)
            self._commit(lane[0], taken)
        except Exception as error:  # whatever it is, callers in other threads must not wait for ever
            _fail(taken, error)
        except BaseException:  # this thread is interrupted: the error is its own, and the other callers can retry
            _fail(taken, StoreUnavailableError("interrupted; retry with the same event_id"))
            raise
        finally:
            # Under one lock: either the lane is gone and the next append starts a write, or this starts one for it.
            with self._lock:
                waits = bool(self._lanes.get(lane))
                if not waits:
                    self._lanes.pop(lane, None)
            if waits:
                self._start(lane)

    def _take(self, lane: _Lane, taken: list[_Waiting]) -> None:
        """Take the longest-waiting append and those after it that fit; leave those with an id in common with them."""
        left: deque[_Waiting] = deque()
        ids: set[str] = set()
        size, full = 0, False
        with self._lock:
            for waiting in self._lanes.get(lane, ()):
                over = len(ids) + len(waiting.ids) > MAX_EVENTS or size + waiting.size > MAX_SIZE
                full = full or (over and bool(taken))  # a smaller append must not overtake one that doesn't fit
                if full or not ids.isdisjoint(waiting.ids):
                    left.append(waiting)
                elif not waiting.future.done():
                    taken.append(waiting)
                    ids |= waiting.ids
                    size += waiting.size
            if lane in self._lanes:
                self._lanes[lane] = left
        # A caller may have given up just now. From this step on it can't: its append will be written.
        taken[:] = [waiting for waiting in taken if waiting.future.set_running_or_notify_cancel()]

    def _commit(self, chain: str, taken: Sequence[_Waiting]) -> None:
        """Write, and after a conflict, of which nothing was stored, write again without those that it is about."""
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
    _tell((waiting, type(error)(ids)) for waiting, ids in conflicts.items() if ids)
    return [waiting for waiting, ids in conflicts.items() if not ids]


def _fail(taken: Iterable[_Waiting], error: Exception) -> None:
    """End those that have no outcome yet. Each gets an error of its own, as raising one puts a traceback into it."""
    outcomes: list[tuple[_Waiting, _Outcome]] = []
    for waiting in taken:
        own = type(error)(*error.args) if isinstance(error, StoreError) else error
        own.__cause__ = error.__cause__
        outcomes.append((waiting, own))
    _tell(outcomes)


def _tell(outcomes: Iterable[tuple[_Waiting, _Outcome]]) -> None:
    """Hand over the outcomes, to all callers of an event loop by one call.

    A call for each would wake the loop each time, and have it compete with this thread for the interpreter's lock.
    """
    by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Waiting, _Outcome]]] = {}
    for waiting, outcome in outcomes:
        by_loop.setdefault(waiting.loop, []).append((waiting, outcome))
    for loop, some in by_loop.items():
        if loop is None:
            _end(some)
        else:
            with suppress(RuntimeError):  # the loop is closed, and its callers are gone
                loop.call_soon_threadsafe(_end, some)


def _end(outcomes: Iterable[tuple[_Waiting, _Outcome]]) -> None:
    for waiting, outcome in outcomes:
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
