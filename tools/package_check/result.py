"""The result of a check."""

from dataclasses import dataclass

_ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Result:
    """A check's name, one line about what it looked at, and its problems, each a sentence that says what to do."""

    name: str
    figures: str
    problems: list[str]


def explains(reason: object) -> bool:
    """Return whether a reason says something: at least a few words."""
    return isinstance(reason, str) and len(reason.split()) >= _ENOUGH
