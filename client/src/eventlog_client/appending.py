"""Sends events, so that the same one sent again is a replay: also with an id and no time, whatever the clock says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog.formats.times import format_time
from eventlog_client import appends, evidence
from eventlog_client.appends import DEFAULT_CHAIN, NewEvent
from eventlog_client.errors import RefusedError
from eventlog_client.transport import Answer, Transport

NDJSON = "application/x-ndjson"
AT_ONCE = {"async": "false"}
"""A receipt that is asked for later may be of an event with this id and other content, which was there before."""
Document = dict[str, Any]
Get = Callable[[str, str], Event]
"""Returns an event by its id and chain."""


def one(transport: Transport, event: NewEvent, chain: str | None, get: Get) -> Receipt:
    """Append an event; return its receipt, checked against what was sent.

    Raises:
        ClientError: it was not appended, or the receipt is not one of it.
    """
    sent = appends.document_of(event, chain)
    untimed = {0} if appends.is_untimed(event) else set()

    def send() -> Answer:
        return transport.post("/events", appends.json_text(sent), parameters=AT_ONCE)

    answer = _post(send, [sent], untimed, get)
    return appends.checked_receipt(sent, evidence.parse(answer.body))


def batch(
    transport: Transport, events: Iterable[NewEvent | Mapping[str, Any]], chain: str | None, get: Get
) -> list[Receipt]:
    """Append events, all or none; return their receipts, checked against what was sent and against each other.

    Raises:
        ClientError: they were not appended, or a receipt is not one of its event.
    """
    given = appends.listed(events)
    sent = [appends.document_of(event, chain) for event in given]
    untimed = {index for index, event in enumerate(given) if appends.is_untimed(event)}

    def send() -> Answer:
        return transport.post("/events/batch", b"\n".join(map(appends.json_text, sent)), NDJSON)

    shown = evidence.parse(_post(send, sent, untimed, get).body)
    receipts = shown.get("receipts") if isinstance(shown, dict) else None
    return appends.checked_batch(sent, receipts, fresh=all(appends.given_id(event) is None for event in given))


def _post(send: Callable[[], Answer], documents: Sequence[Document], untimed: set[int], get: Get) -> Answer:
    """Send events; where the log has one of those without a time of their caller's, take the time that it has.

    Args:
        send: posts the documents as they are then.
        documents: the events; the ``timestamp`` of those that are untimed may be replaced.
        untimed: the indexes of those whose time was made here, and whose id was not.
        get: reads the event that is stored.

    Raises:
        RefusedError: 409, an event with such an id has other content, or it may not be read.
    """
    # To the log the time is content, so another one is a conflict. The caller said nothing of it: with the time that
    # is stored, the log itself compares the rest, and answers with the receipt or with 409 again. Each round settles
    # at least one event, so this ends.
    while True:
        try:
            return send()
        except RefusedError as error:
            found = untimed & _conflicting(error, len(documents)) if error.status == 409 else set()
            if not found:
                raise
            for index in found:
                documents[index]["timestamp"] = _stored_time(documents[index], error, get)
            untimed -= found


def _conflicting(error: RefusedError, count: int) -> set[int]:
    """Return the indexes that a refusal names; of a single event there is but one."""
    if count == 1:
        return {0}
    first = (problem.pointer.removeprefix("/").partition("/")[0] for problem in error.errors)
    return {int(index) for index in first if index.isascii() and index.isdecimal()}


def _stored_time(document: Document, error: RefusedError, get: Get) -> str:
    try:
        found = get(document["event_id"], document.get("chain") or DEFAULT_CHAIN)
    except RefusedError as refused:
        hint = "If it is the same event, give the time that was sent first: here it may not be read"
        raise RefusedError(error.status, error.title, f"{error.detail.rstrip('.')}. {hint}", error.errors) from refused
    return format_time(found.entry.timestamp)
