r"""The message that an accepted event waits in until it is appended (version 1).

One JSON object in ASCII (SQS refuses or replaces some characters: others are written as ``\uXXXX``), without white
space, its members in this order:

    {"v":1,"chain":"main","event_id":"...","event_type":"...","source_id":"...","timestamp":"2026-11-23T12:00:00.000Z",
     "received_at":"2026-11-23T12:00:01.500Z","principal":"...","payload":"{...}","salt":"<32 hex digits>",
     "time_given":true}

``payload`` is the canonical text as a string. Hashes are not in it: they follow from the rest. Whoever can write to the
queue can invent an event, its ``principal`` and ``received_at`` too, but none that the API would not have taken:
``parse_message`` reads each event anew by the rules of ``native.py`` and ``cloudevents.py``, and compares.

Specified in docs/formats/queue-message.md.
"""

import json
from collections.abc import Mapping
from typing import Protocol
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from eventlog.errors import InputError, TooLargeError
from eventlog.fields import CE_PREFIX, MAX_DEPTH, MAX_PAYLOAD, MAX_VALUES, OpenChainName
from eventlog.formats import strict_json
from eventlog.formats.canonical import canonicalize
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import hex_bytes, members, text, time
from eventlog.formats.strict_json import MalformedJSONError, Problem
from eventlog.formats.times import format_time
from eventlog.ingest import cloudevents, native
from eventlog.ingest.submission import make_draft
from eventlog.store.errors import MessageTooLargeError
from eventlog.store.interface import Draft

MAX_MESSAGE = (1 << 20) - (4 << 10)
"""Bytes of a message: what SQS takes, and room for the reason that a dead letter is given."""
_MEMBERS = {
    *("v", "chain", "event_id", "event_type", "source_id", "timestamp"),
    *("received_at", "principal", "payload", "salt", "time_given"),
}
_MANY = 100
"""Values that a message is parsed with: more than any has, so that a member too many is told as that."""
_CHAIN = TypeAdapter[str](OpenChainName)


class MessageError(ValueError):
    """A message that can't be appended; the text says why, and names members but never values."""


class Queue(Protocol):
    """A FIFO queue of messages. ``SqsQueue`` is one."""

    def send(self, group: str, body: str, *, once: str, reason: str | None = None) -> None:
        """See ``SqsQueue.send``."""
        ...


def enqueue(draft: Draft, queue: Queue) -> None:
    """Put a draft in the queue; it waits in the group of its chain.

    Each call sends a message of its own: what the client sends twice is appended once, by the event's id.

    Raises:
        TooLargeError: the queue takes no message of this size.
        QueueUnavailableError: the queue may have it or not.
    """
    try:
        queue.send(draft.entry.chain, format_message(draft), once=str(uuid4()))
    except MessageTooLargeError as error:
        detail = "larger as a message than the queue takes; send it with ?async=false"
        raise TooLargeError([Problem("", detail)]) from error


def format_message(draft: Draft) -> str:
    """Write the message of a draft.

    Raises:
        TooLargeError: the queue takes no message of this size; escapes make a payload up to six times as long.
    """
    # The order is that of version 1: ``parse_message`` compares the whole text.
    entry = draft.entry
    fields = {
        "v": 1,
        "chain": entry.chain,
        "event_id": entry.event_id,
        "event_type": entry.event_type,
        "source_id": entry.source_id,
        "timestamp": format_time(entry.timestamp),
        "received_at": format_time(entry.received_at),
        "principal": entry.principal,
        "payload": entry.payload,
        "salt": entry.salt.hex(),
        "time_given": draft.time_given,
    }
    message = json.dumps(fields, separators=(",", ":"))
    if len(message) > MAX_MESSAGE:
        detail = f"{len(message)} bytes as a message, of which the queue takes {MAX_MESSAGE}; send it with ?async=false"
        raise TooLargeError([Problem("", detail)])
    return message


def parse_message(message: str) -> Draft:
    """Read the draft of a message; its id counts as chosen, as every message may be delivered more than once.

    Raises:
        MessageError: anything but what ``format_message`` writes of a draft that the API could have made.
    """
    try:
        fields = members(_parse(message), "a message")
        if fields.keys() != _MEMBERS or type(fields["time_given"]) is not bool:
            raise MessageError("a message has the members that version 1 says, all of them and no other")
        draft = _draft(fields)
        written = format_message(draft)  # a field that is not what the API would have made of it shows here
    except (EvidenceError, InputError) as error:
        raise MessageError(str(error)) from error
    if written != message:
        raise MessageError("not written as version 1 writes this event")
    return draft


def _parse(message: str) -> object:
    if not message.isascii():
        raise MessageError("not ASCII")
    if len(message) > MAX_MESSAGE:
        raise MessageError(f"{len(message)} bytes, of which the queue takes {MAX_MESSAGE}")
    try:
        return strict_json.parse(message.encode(), max_depth=1, max_values=_MANY)
    except MalformedJSONError as error:
        raise MessageError("not JSON as a message is written") from error


def _draft(fields: Mapping[str, object]) -> Draft:
    """Make of the event what the API would have made of it; only the salt is taken from the message."""
    payload = _payload(text(fields, "payload"))
    chain, principal = text(fields, "chain"), text(fields, "principal")
    received_at = time(fields, "received_at")
    # A CloudEvent is its payload, and its id, type, source and time follow from that; a native event says them itself.
    if text(fields, "event_id").startswith(CE_PREFIX):
        submission = cloudevents.read(payload, _open_chain(chain))
    else:
        event = {name: fields[name] for name in ("chain", "event_id", "event_type", "source_id", "timestamp")}
        submission = native.read(event | {"payload": payload}, chain)
    salt = hex_bytes(fields, "salt", 16)
    return make_draft(submission, principal=principal, received_at=received_at, salt=salt)


def _open_chain(chain: str) -> str:
    """Check that clients may append to a chain; ``native.read`` does so itself, as an event may name its chain."""
    try:
        return _CHAIN.validate_python(chain)
    except ValidationError as error:
        raise MessageError("chain is none that clients may append to") from error


def _payload(written: str) -> object:
    text = written.encode()
    if len(text) > MAX_PAYLOAD:
        raise MessageError(f"payload has {len(text)} bytes; at most {MAX_PAYLOAD} are allowed")
    try:
        payload = strict_json.parse(text, max_depth=MAX_DEPTH, max_values=MAX_VALUES, doubles=True)
        if canonicalize(payload, MAX_PAYLOAD) == text:
            return payload
    except ValueError as error:
        raise MessageError("payload is not JSON as the API takes it") from error
    raise MessageError("payload is not canonical JSON")
