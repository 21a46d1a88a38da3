"""Governance notes: the signed orders to erase payloads, to hold what must not be erased, and to release a hold.

An erasure's text:

    eventlog/erasure/v1
    <the log's origin>/<chain>
    request <UUID>
    time <milliseconds since 1970>
    by <who asked for it>
    approved <who approved it>                  only where a second person has to
    basis <[a-z0-9.-]{1,64}>
    reason <one line of 1 to 500 characters>
    events <how many, 1 to 1000>
    <seq> <leaf hash, Base 64>                  as many lines, ascending

A hold's, and a release's:

    eventlog/hold/v1                            eventlog/release/v1
    <the log's origin>/<chain>                  <the log's origin>/<chain>
    request <UUID>                              request <UUID>
    time <milliseconds since 1970>              time <milliseconds since 1970>
    by <who asked for it>                       by <who asked for it>
    range <first seq> <seq after the last>      hold <id of the hold's event>
    until <milliseconds since 1970>             reason <one line>
    reason <one line>

``-`` after ``range`` is the whole chain, now and later; ``-`` after ``until`` is until it is released.
How they are signed: ``governance_note.py``. Specified in docs/formats/governance-note.md.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

from eventlog.formats.checkpoint import origin_line, parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.names import is_chain_name
from eventlog.formats.note import decode_base64, is_key_name
from eventlog.formats.times import MAX_MILLIS

ERASURE, HOLD, RELEASE = "eventlog.erasure", "eventlog.hold", "eventlog.hold_released"
"""The types of the events that bring orders into their chain; their ids begin with them."""
MAX_TARGETS = 1000
MAX_REASON = 500
MAX_BY = 2048
BASIS_PATTERN = r"^[a-z0-9.-]{1,64}$"
ID_DIGITS = 32
_NONE = "-"
_MAX_SEQ = 2**63 - 1
_BASIS = re.compile(BASIS_PATTERN.removeprefix("^").removesuffix("$"))
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOLD_ID = re.compile(rf"{re.escape(HOLD)}-[0-9a-f]{{{ID_DIGITS}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Who asked for an order, when (milliseconds since 1970) and why; ``request`` is a UUID."""

    origin: str
    chain: str
    request: str
    time: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure(_Asked):
    """The order to erase the payloads of these events: (seq, leaf hash), by seq.

    ``approved``: who approved it; None if nobody has to.
    """

    basis: str
    targets: tuple[tuple[int, bytes], ...]
    approved: str | None = None

    event_type: ClassVar[str] = ERASURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(_Asked):
    """The order not to erase the events of these seqs, [first, after the last); None: of the whole chain.

    It ends at ``until`` (milliseconds since 1970) or when it is released; None: only then.
    """

    span: tuple[int, int] | None = None
    until: int | None = None

    event_type: ClassVar[str] = HOLD

    def covers(self, seq: int) -> bool:
        """Return whether it holds the event at this seq."""
        return self.span is None or self.span[0] <= seq < self.span[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(_Asked):
    """The end of a hold, which is named by the id of its event."""

    hold: str

    event_type: ClassVar[str] = RELEASE


AnyOrder = Erasure | Hold | Release


def event_id(order: AnyOrder) -> str:
    """Return the id of the event that brings an order into its chain: the order itself decides it."""
    return f"{order.event_type}-{sha256(format_order(order).encode()).hexdigest()[:ID_DIGITS]}"


def format_order(order: AnyOrder) -> str:
    """Return the note text.

    Raises:
        EvidenceError: there can be no such order.
    """
    _check(order)
    head = [
        f"eventlog/{_word(order)}/v1",
        origin_line(order.origin, order.chain),
        f"request {order.request}",
        f"time {order.time}",
        f"by {order.by}",
    ]
    reason = f"reason {order.reason}"
    # The reason stands before the events, so that all that people write is on one screen.
    if isinstance(order, Erasure):
        if order.approved is not None:
            head.append(f"approved {order.approved}")
        targets = (f"{seq} {base64.b64encode(leaf).decode()}" for seq, leaf in order.targets)
        lines = [*head, f"basis {order.basis}", reason, f"events {len(order.targets)}", *targets]
    elif isinstance(order, Hold):
        span = _NONE if order.span is None else f"{order.span[0]} {order.span[1]}"
        until = _NONE if order.until is None else str(order.until)
        lines = [*head, f"range {span}", f"until {until}", reason]
    else:
        lines = [*head, f"hold {order.hold}", reason]
    return "".join(f"{line}\n" for line in lines)


def parse_order(text: str) -> AnyOrder:
    """Read a note text; it is accepted only as ``format_order`` writes it.

    Raises:
        EvidenceError: it is written in any other way.
    """
    # First read, then check the form by writing it again: the names before the values are compared so, too.
    try:
        head, line, request, time, by, *rest = text.split("\n")
        origin, _, chain = line.rpartition("/")  # no chain has a slash in its name
        asked = {"origin": origin, "chain": chain, "request": _value(request), "time": _number(time), "by": _value(by)}
        order = _READERS[head](asked, rest)
    except (ValueError, KeyError, IndexError) as error:
        raise EvidenceError("not the text of an erasure, a hold or a release") from error
    if format_order(order) != text:
        raise EvidenceError("not the text of an erasure, a hold or a release")
    return order


def _erasure(asked: dict[str, Any], lines: list[str]) -> Erasure:
    approved = _value(lines.pop(0)) if lines[0].startswith("approved ") else None
    basis, reason, count, *targets, end = lines
    if end or len(targets) != _number(count):
        raise EvidenceError("not as many events as the erasure says")
    pairs = (target.split(" ") for target in targets)
    found = tuple((parse_decimal(seq, "a seq"), decode_base64(leaf, "a leaf hash")) for seq, leaf in pairs)
    return Erasure(**asked, approved=approved, basis=_value(basis), reason=_value(reason), targets=found)


def _hold(asked: dict[str, Any], lines: list[str]) -> Hold:
    span, until, reason, _ = lines
    seqs = None
    if _value(span) != _NONE:
        first, stop = _value(span).split(" ")
        seqs = parse_decimal(first, "a seq"), parse_decimal(stop, "a seq")
    end = None if _value(until) == _NONE else _number(until)
    return Hold(**asked, span=seqs, until=end, reason=_value(reason))


def _release(asked: dict[str, Any], lines: list[str]) -> Release:
    hold, reason, _ = lines
    return Release(**asked, hold=_value(hold), reason=_value(reason))


_READERS: dict[str, Callable[[dict[str, Any], list[str]], AnyOrder]] = {
    "eventlog/erasure/v1": _erasure,
    "eventlog/hold/v1": _hold,
    "eventlog/release/v1": _release,
}


def _value(line: str) -> str:
    return line.partition(" ")[2]


def _number(line: str) -> int:
    return parse_decimal(_value(line), line.partition(" ")[0])


def _word(order: AnyOrder) -> str:
    return {ERASURE: "erasure", HOLD: "hold", RELEASE: "release"}[order.event_type]


def _check(order: AnyOrder) -> None:
    """Refuse what can't be. A line break in one of the values could forge the lines around it."""
    if not is_key_name(order.origin) or not is_chain_name(order.chain) or not _UUID.fullmatch(order.request):
        raise EvidenceError("the name of a log or a chain, or the id of a request, can't be")
    if not 0 <= order.time <= MAX_MILLIS:
        raise EvidenceError("the order's time is out of range")
    people = [order.by] if not isinstance(order, Erasure) or order.approved is None else [order.by, order.approved]
    if not all(0 < len(name) <= MAX_BY and name.isprintable() for name in people):
        raise EvidenceError(f"who asks or approves is one line of 1 to {MAX_BY} characters")
    if not 0 < len(order.reason) <= MAX_REASON or not order.reason.isprintable():
        raise EvidenceError(f"the reason must be one line of 1 to {MAX_REASON} characters")
    if isinstance(order, Erasure):
        _check_erasure(order)
    elif isinstance(order, Hold):
        if order.span is not None and not 0 <= order.span[0] < order.span[1] <= _MAX_SEQ:
            raise EvidenceError("a range is from one seq to a later one")
        if order.until is not None and not 0 <= order.until <= MAX_MILLIS:
            raise EvidenceError("the end of the hold is out of range")
    elif not _HOLD_ID.fullmatch(order.hold):
        raise EvidenceError("a release names the id of a hold's event")


def _check_erasure(order: Erasure) -> None:
    if not _BASIS.fullmatch(order.basis):
        raise EvidenceError("the basis has 1 to 64 of a-z, 0-9, point and hyphen, such as gdpr-art-17")
    if order.approved == order.by:
        raise EvidenceError("who asks does not approve")
    seqs = [seq for seq, _ in order.targets]
    if not 1 <= len(seqs) <= MAX_TARGETS or seqs != sorted(set(seqs)) or not 0 <= seqs[0] <= seqs[-1] < _MAX_SEQ:
        raise EvidenceError(f"an erasure names 1 to {MAX_TARGETS} events, each once, by seq")
    if any(len(leaf) != HASH_SIZE for _, leaf in order.targets):
        raise EvidenceError(f"a leaf hash has {HASH_SIZE} bytes")
