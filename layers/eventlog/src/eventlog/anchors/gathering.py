"""Gathers what several threads want to create at about the same time, so that one object is made of it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog.formats.pack import MAX_PACK, ObjectPlace
from eventlog.store.errors import AnchorsUnavailableError

MOST = 64
"""Entries that are put together at most: of usual names they have some 30 KB."""
AT_ONCE = 8
"""How many of those that are expected are at work at once; the others wait for each other, or for their turn."""
WAIT_SECONDS = 2.0
"""How long the first one waits at most for those that are expected."""
_LONGEST = MAX_PACK // MOST - 200
"""Bytes of an entry that is gathered with others; one that is longer has a pack of its own."""


class Offer(NamedTuple):
    """What is to be created, and at what generation of what is known its place was seen to be free."""

    data: bytes
    seen: int = 0


class Taken(NamedTuple):
    """The places of what was created, and of what was not since it had been seen too long ago."""

    created: set[ObjectPlace]
    stale: set[ObjectPlace]


Put = Callable[[Mapping[ObjectPlace, Offer]], Taken]
"""Creates all of what is offered that is not there yet, at once."""


@dataclass(slots=True)
class _Batch:
    offers: dict[ObjectPlace, Offer] = field(default_factory=dict)
    taken: Taken | None = None
    error: BaseException | None = None
    is_over: bool = False


class Gathering:
    """Puts together what is created while nothing, or something else, is being put.

    How many threads are at work on something that may end in an entry it is told by ``expecting``. It then waits until
    each of them waits for its own entry or is done, so that what they have makes one object; ``WAIT_SECONDS`` at most.
    """

    def __init__(self, put: Put, wait_seconds: float = WAIT_SECONDS) -> None:
        self._put = put
        self._wait = wait_seconds
        self._changed = threading.Condition()
        self._batch = _Batch()
        self._is_putting = False
        self._expected = 0
        self._turns = threading.Semaphore(AT_ONCE)
        self._turn = threading.local()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Wait for a turn and work; whoever waits for its entry to be put lets others have theirs meanwhile.

        So however many audits wait for one object, no more of them than ``AT_ONCE`` hold events in memory, or a
        connection.
        """
        with self._turns:
            self._turn.is_ours = True
            try:
                yield
            finally:
                self._turn.is_ours = False

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Let others have their turns."""
        if not getattr(self._turn, "is_ours", False):
            yield
            return
        self._turns.release()
        try:
            yield
        finally:
            self._turns.acquire()

    @contextmanager
    def expecting(self, count: int) -> Iterator[Callable[[], None]]:
        """Expect so many threads; what is yielded is called once by each when it is done."""
        left = count
        with self._changed:
            self._expected += count

        def done() -> None:
            nonlocal left
            with self._changed:
                if left:  # else nobody is expected any more: whoever waited for these has left
                    left -= 1
                    self._expected -= 1
                self._changed.notify_all()

        try:
            yield done
        finally:
            with self._changed:
                self._expected -= left
                left = 0
                self._changed.notify_all()

    def create(self, place: ObjectPlace, offer: Offer) -> bool:
        """Create an entry; False: there was one at this place.

        Raises:
            StoreError: it may be there or not.
            AnchorsUnavailableError: or whether it is free was seen too long ago.
        """
        if len(offer.data) > _LONGEST:
            return _outcome(place, self._put({place: offer}))
        with self._waiting():
            return _outcome(place, self._gathered(place, offer))

    def _gathered(self, place: ObjectPlace, offer: Offer) -> Taken:
        with self._changed:
            # Another thread wants the same, or this one is full: the next it is, and of the same the first counts.
            while place in self._batch.offers or len(self._batch.offers) >= MOST:
                self._changed.wait()
            batch = self._batch
            batch.offers[place] = offer
            leads = len(batch.offers) == 1
            self._changed.notify_all()
            if not leads:
                self._changed.wait_for(lambda: batch.is_over)
        if leads:
            self._lead(batch)
        if batch.taken is None:
            raise AnchorsUnavailableError(f"anchors: what was put together failed: {batch.error}") from batch.error
        return batch.taken

    def _lead(self, batch: _Batch) -> None:
        """Wait for the others and put the batch; however it ends, nobody waits for it any more."""
        putting = False
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._is_complete(batch), self._wait)
                self._changed.wait_for(lambda: not self._is_putting)
                self._batch, self._is_putting = _Batch(), True
                putting = True
            batch.taken = self._put(batch.offers)
        except BaseException as error:  # raised here, and told to all who wait for this batch
            batch.error = error
            raise
        finally:
            with self._changed:
                batch.is_over = True
                if putting:
                    self._is_putting = False
                else:
                    self._batch = _Batch()
                self._changed.notify_all()

    def _is_complete(self, batch: _Batch) -> bool:
        return not self._is_putting and len(batch.offers) >= min(self._expected, MOST)


def _outcome(place: ObjectPlace, taken: Taken) -> bool:
    if place in taken.stale:
        raise AnchorsUnavailableError("anchors: what is there was looked at too long ago; try again")
    return place in taken.created
