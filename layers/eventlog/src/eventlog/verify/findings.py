"""What an audit finds: where the log is not what it must be."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the log is not what it must be. ``seq`` is None where there is none."""

    kind: str
    seq: int | None
    expected: str | None
    actual: str | None
    detail: str


Emit = Callable[[Finding], None]
