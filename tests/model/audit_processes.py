"""The processes of the walk of audits: each may die, or lose an answer, at any of its commands, and waits for its turn.

A command is a call of what an auditor reaches the outside by: the log, its reports, the copies of anchors, the places
where anchors are kept, and the key. Whatever it does between two commands touches nothing that is shared.
"""

import threading
from collections.abc import Callable, Iterator
from random import Random
from threading import Condition, Thread, get_ident
from typing import Any, Literal, NamedTuple, cast

from eventlog.store.errors import AnchorsUnavailableError, SigningError, StoreUnavailableError
from tests.support.auditors import Countdown, Dying

Door = Literal["log", "audits", "copies", "objects", "packs", "key"]
What = Literal["command", "creation", "pack", "signature", "report"]
_STORED = {"add", "save", "swap", "put"}
_PARTS = {"standings", "all_heads"}
"""What an auditor reaches through its reports, and is commands of its own."""


class DeathError(BaseException):
    """The process is gone; nothing of the product may hold this up."""


class Fault(NamedTuple):
    """What goes wrong: at the ``at``-th of what counts, before or after it took effect.

    ``dies``: the process does; else an answer is lost. ``what``: any command; what is created among the anchors; a
    pack; a signature; what is stored of audits.
    """

    what: What
    at: int
    after: bool
    dies: bool

    def counts(self, door: Door, name: str) -> bool:
        match self.what:
            case "command":
                return True
            case "creation":
                return door in {"objects", "packs"} and name == "create"
            case "pack":
                return door == "packs" and name == "create"
            case "signature":
                return door == "key" and name == "sign"
            case "report":
                return door == "audits" and name in _STORED


class Process:
    """One process with an auditor in it. ``begin`` says, in the thread that does it, what befalls its next work.

    Threads of its own pass without a turn, and only what is in a pack may fail there: which of them comes first is
    chance.
    """

    def __init__(self) -> None:
        self.is_dead = False
        self.has_failed = False
        self.commands = 0
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._left = 0
        self._thread = 0
        self._pause: Callable[[int], None] = lambda _: None

    def begin(self, fault: Fault | None, pause: Callable[[int], None]) -> None:
        """``pause`` is called before each command, with its number: others are at work meanwhile."""
        self._fault, self._left, self._pause = fault, fault.at if fault else 0, pause
        self._thread, self.has_failed, self.commands = get_ident(), False, 0

    def outside(self, inside: Any, door: Door) -> Any:
        """Whatever is called of this object is a command."""
        return _Outside(inside, cast(Countdown, _Counting(self, door)))

    def take(self, door: Door, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.is_dead:
            raise DeathError
        is_main = get_ident() == self._thread
        if is_main:
            self.commands += 1
            self._pause(self.commands)
        fault = self._due(door, step.__name__, is_main=is_main)
        if fault is not None and not fault.after:
            self._fail(fault, door)
        result = step(*args, **kwargs)
        if isinstance(result, Iterator):
            result = iter(list(result))
        if fault is not None:
            self._fail(fault, door)
        return result

    def _due(self, door: Door, name: str, *, is_main: bool) -> Fault | None:
        with self._lock:
            fault = self._fault
            if fault is None or not (is_main or fault.what == "pack") or not fault.counts(door, name):
                return None
            self._left -= 1
            return None if self._left else fault

    def _fail(self, fault: Fault, door: Door) -> None:
        self._fault, self.has_failed, self.is_dead = None, True, fault.dies
        if fault.dies:
            raise DeathError
        if door == "key":
            raise SigningError("the answer is lost")
        raise (AnchorsUnavailableError if door in {"objects", "packs"} else StoreUnavailableError)("the answer is lost")


class _Counting(NamedTuple):
    process: Process
    door: Door

    def take(self, step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.process.take(self.door, step, args, kwargs)


class _Outside(Dying):
    def __getattr__(self, name: str) -> Any:
        if name in _PARTS:
            return _Outside(getattr(self._inside, name), self._countdown)
        return super().__getattr__(name)


class Turns:
    """Has several pieces of work take turns, command by command, as ``rng`` decides."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._changed = Condition()
        self._turn: int | None = None
        self._waiting: set[int] = set()

    def pause(self, number: int) -> Callable[[int], None]:
        """What work number so and so calls before each command."""
        return lambda _: self._wait(number)

    def run(self, works: list[Callable[[], None]]) -> None:
        """Do all of it; what one raises is raised here when all are over."""
        raised: list[BaseException] = []

        def do(number: int, work: Callable[[], None]) -> None:
            try:
                self._wait(number)
                work()
            except BaseException as error:
                raised.append(error)
            with self._changed:
                alive.discard(number)
                self._turn = None
                self._changed.notify_all()

        alive = set(range(len(works)))
        threads = [Thread(target=do, args=(number, work)) for number, work in enumerate(works)]
        for thread in threads:
            thread.start()
        with self._changed:
            while alive:
                self._changed.wait_for(lambda: self._turn is None and self._waiting >= alive)
                if alive:
                    self._turn = self._rng.choice(sorted(alive))
                    self._waiting.discard(self._turn)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._turn is None)
        for thread in threads:
            thread.join()
        for error in raised:
            raise error

    def _wait(self, number: int) -> None:
        with self._changed:
            self._turn = None if self._turn == number else self._turn
            self._waiting.add(number)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn == number)
