"""What a check found."""

from dataclasses import dataclass

_ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Result:
    """``figures`` is one line about what was looked at; each problem is a sentence that says what to do."""

    name: str
    figures: str
    problems: list[str]


def explains(reason: object) -> bool:
    """Whether a reason says something: at least a few words."""
    return isinstance(reason, str) and len(reason.split()) >= _ENOUGH
