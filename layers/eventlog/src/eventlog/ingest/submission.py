"""What a client submits, once it is read and checked: the same for native events, CloudEvents and queue messages."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from uuid_utils import uuid7

from eventlog.errors import InvalidError, TooLargeError
from eventlog.fields import MAX_BATCH_TEXT, MAX_PAYLOAD
from eventlog.formats.canonical import LongerError, canonicalize
from eventlog.formats.event import Entry, make_entry
from eventlog.formats.strict_json import Problem
from eventlog.store.interface import Draft


class Submission(NamedTuple):
    """An event to append, every field of it checked.

    Attributes:
        chain: where it goes.
        event_id: None if the client gave none; then every append of it is a new event.
        timestamp: milliseconds since 1970; None if the client gave none; then it is the time of receipt.
        payload: canonical JSON text (RFC 8785), at most 256 KiB.
        is_same: whether an entry that is stored under the same id is this event; None: if all that was given is equal.
    """

    chain: str
    event_id: str | None
    event_type: str
    source_id: str
    timestamp: int | None
    payload: str
    is_same: Callable[[Entry, Entry], bool] | None = None


def canonical_payload(payload: object, pointer: str) -> str:
    """Write a payload as its canonical text; ``pointer`` says where it stands in what was sent.

    Raises:
        TooLargeError: it is over 256 KiB.
    """
    try:
        return canonicalize(payload, MAX_PAYLOAD).decode()
    except LongerError as error:
        detail = f"more than {MAX_PAYLOAD} bytes as canonical JSON, which is the limit"
        raise TooLargeError([Problem(pointer, detail)]) from error


def check_batch(submissions: Sequence[Submission]) -> None:
    """Check what holds for a batch as a whole: one chain, distinct ids, at most 4 MiB of canonical text.

    Raises:
        InvalidError: every item of another chain than the first, and every repeated id, by its index.
        TooLargeError: the payloads together are over 4 MiB.
    """
    problems: list[Problem] = []
    first: dict[str, int] = {}
    # Ids that the log makes can't be the same, so only those that the client gave are compared.
    for index, item in enumerate(submissions):
        if item.chain != submissions[0].chain:
            detail = f"a batch goes to one chain; the first is {submissions[0].chain}"
            problems.append(Problem(f"/{index}/chain", detail))
        if item.event_id is not None and first.setdefault(item.event_id, index) != index:
            problems.append(Problem(f"/{index}/event_id", f"the same id as item {first[item.event_id]}"))
    if problems:
        raise InvalidError(problems)
    total = sum(len(item.payload.encode()) for item in submissions)
    if total > MAX_BATCH_TEXT:
        raise TooLargeError([Problem("", f"{total} bytes of canonical JSON; at most {MAX_BATCH_TEXT} are allowed")])


def make_draft(submission: Submission, *, principal: str, received_at: int, salt: bytes | None = None) -> Draft:
    """Complete a submission with what the log itself adds, and hash it.

    An id or a salt that is not given is made here. ``received_at`` is in milliseconds since 1970.
    """
    # An id that the log makes is not chosen: it can't be a replay, so an append need not look it up.
    given = submission.timestamp
    entry = make_entry(
        chain=submission.chain,
        event_id=submission.event_id or str(uuid7()),
        event_type=submission.event_type,
        source_id=submission.source_id,
        timestamp=received_at if given is None else given,
        received_at=received_at,
        principal=principal,
        payload=submission.payload,
        salt=salt or os.urandom(16),
    )
    return Draft(
        entry,
        id_chosen=submission.event_id is not None,
        time_given=given is not None,
        is_same=submission.is_same,
    )
