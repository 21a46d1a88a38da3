"""Which of a route's media types a client wants (RFC 9110, section 12.5.1).

``accepted: Annotated[str, Depends(Accepts(JSON, CSV))]`` in a route's signature is the one that it is to answer in.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastapi import Request

_QUOTED = r'"(?:[^"\\]|\\.?)*+"?+'
_PARTS = re.compile(rf"(?:[^\",]|{_QUOTED})++")
_PARAMETERS = re.compile(rf"(?:[^\";]|{_QUOTED})++")
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?|\.[0-9]{1,3}")
"""RFC 9110, section 12.4.2; some clients leave out the 0 before the point."""
_IMPLIED = {"charset": "utf-8"}
"""What a client may ask of any type here, as it is so anyhow."""


class NotAcceptableError(Exception):
    """The client wants none of the media types that there are (406)."""


class MediaRange(NamedTuple):
    """A media range with its weight."""

    type: str
    subtype: str
    parameters: Mapping[str, str]
    weight: float

    def covers(self, media_type: str) -> bool:
        """Whether a media type, which has no parameters, is in this range."""
        kind, _, subtype = media_type.partition("/")
        return (
            self.type in ("*", kind)
            and self.subtype in ("*", subtype)
            and all(_IMPLIED.get(name) == value.lower() for name, value in self.parameters.items())
        )

    @property
    def rank(self) -> int:
        """How much the range says, to compare with others that cover the same type."""
        return (self.type != "*") + (self.subtype != "*") + len(self.parameters)


class Accepts:
    """A route's dependency: the one of its media types, of which the first is the default, that the client prefers.

    It is a coroutine, since FastAPI would send a plain function to a thread for every request.
    """

    def __init__(self, *media_types: str) -> None:
        self.media_types = media_types

    async def __call__(self, request: Request) -> str:
        """Choose.

        Raises:
            NotAcceptableError: The client accepts none of them.
        """
        chosen = preferred(request.headers.get("accept", ""), self.media_types)
        if chosen is None:
            raise NotAcceptableError(f"Accept allows none of what there is here: {', '.join(self.media_types)}.")
        return chosen


def preferred(accept: str, media_types: Sequence[str]) -> str | None:
    """The media type that an ``Accept`` header prefers; None if it allows none of them.

    A type has the weight of the range that says most about it. Of types with the same weight the one wins that the
    header names more exactly, then the one that it names first, then the one that stands first here.
    """
    if not accept.strip(" \t,"):
        return media_types[0]
    ranges = list(_ranges(accept))
    best: tuple[float, int, int, int] | None = None
    chosen = None
    for order, media_type in enumerate(media_types):
        # The range that counts is the most exact one; of two that are as exact, the first.
        found = [(one.rank, -place, one.weight) for place, one in enumerate(ranges) if one.covers(media_type)]
        rank, place, weight = max(found, default=(0, 0, 0.0))
        score = (weight, rank, place, -order)
        if weight > 0 and (best is None or score > best):
            best, chosen = score, media_type
    return chosen


def _ranges(accept: str) -> Iterator[MediaRange]:
    """Read a header. What is no media range, or has a weight that is none, is passed over: it allows nothing."""
    for part in _PARTS.findall(accept):
        written, *rest = (found.strip() for found in _PARAMETERS.findall(part) or [""])
        # ``*`` alone is what some old clients write for ``*/*``.
        kind, _, subtype = ("*/*" if written == "*" else written.lower()).partition("/")
        if not kind or not subtype or (kind == "*" and subtype != "*"):
            continue
        pairs = (one.partition("=") for one in rest if one)
        parameters = {name.strip().lower(): _unquoted(value.strip()) for name, _, value in pairs}
        weight = parameters.pop("q", "1")
        if _WEIGHT.fullmatch(weight):
            yield MediaRange(kind, subtype, parameters, float(weight))


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if len(value) > 1 and value[0] == value[-1] == '"' else value
