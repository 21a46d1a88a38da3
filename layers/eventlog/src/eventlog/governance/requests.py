"""What somebody asks for: which events to erase, on what ground; what to hold; which hold to release."""

import re
from collections.abc import Iterable, Mapping
from uuid import UUID

from eventlog.chain_names import is_own
from eventlog.errors import ConflictError, InvalidError, NotFoundError
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.governance import MAX_BY, AnyOrder, format_order
from eventlog.formats.strict_json import MAX_PROBLEMS, Problem
from eventlog.governance.holds import Holds

Wanted = str | int
"""An event by its id, or by its seq."""


def targets_of(chain: str, wanted: Iterable[Wanted], found: Mapping[Wanted, Event]) -> tuple[tuple[int, bytes], ...]:
    """Return the (seq, leaf hash) of the events that are asked for, each once, by seq.

    Raises:
        NotFoundError: some of them are not there; the text names them.
        InvalidError: some of them are the log's own.
    """
    asked = list(wanted)
    unknown = [str(name) if isinstance(name, str) else f"seq {name}" for name in asked if name not in found]
    if unknown:
        more = f" and {len(unknown) - MAX_PROBLEMS} more" if len(unknown) > MAX_PROBLEMS else ""
        raise NotFoundError(
            f"Chain {chain} has no event {', '.join(unknown[:MAX_PROBLEMS])}{more}; nothing was logged."
        )
    own = [index for index, name in enumerate(asked) if is_own(chain) or is_own(found[name].entry.event_type)]
    if own:
        why = "is one of the log's own events, which say what became of it: these are never erased"
        raise InvalidError([Problem(f"/events/{index}", why) for index in own])
    return tuple(sorted({(found[name].seq, found[name].hash) for name in asked}))


def check_not_held(wanted: Iterable[Wanted], found: Mapping[Wanted, Event], holds: Holds, now: int) -> None:
    """Refuse what must not be erased.

    Raises:
        ConflictError: naming the holds.
    """
    held = [(index, holds.on(found[name].seq, now)) for index, name in enumerate(wanted)]
    problems = [
        Problem(f"/events/{index}", f"held by {hold.event.entry.event_id}: {hold.hold.reason}")
        for index, hold in held
        if hold is not None
    ]
    if problems:
        raise ConflictError(problems, "Some of the events must not be erased: a hold is in force. Nothing was logged.")


def check_order(order: AnyOrder) -> None:
    """Check that there can be such an order, before anything is written.

    Raises:
        InvalidError: naming what can't be.
    """
    if not re.fullmatch(r"\S(.*\S)?", order.reason) or not order.by.isprintable() or len(order.by) > MAX_BY:
        raise InvalidError([Problem("/reason", "must be one line, without blanks at its ends; so must who asks")])
    try:
        format_order(order)
    except EvidenceError as error:
        raise InvalidError([Problem("", str(error))]) from error


def check_uuid(value: str) -> str:
    """Return a UUID as it is written in orders.

    Raises:
        ValueError: it is none.
    """
    if str(UUID(value)) != value:
        raise ValueError("must be a UUID in lower case, with four hyphens")
    return value
