"""Hints that a chain has grown, for live streams."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self


class ChangeHints(Protocol):
    """Tells one thread when to look at one chain again; a context manager that gives back what it holds.

    Nothing may rest on a hint: it can come for nothing, late or never. Callers read the chain itself afterwards, and
    now and then without one.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def wait(self, size: int, seconds: float) -> None:
        """Return when the chain may be larger than ``size``, or after about so many seconds; the first time at once.

        It raises nothing because of the database.
        """
        ...


OpenChangeHints = Callable[[str], ChangeHints]
"""Opens the hints about a chain."""
