"""The live stream: its frames, over as many connections as it takes, and the events in them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import contradiction, receipt_of
from eventlog.formats.members import members, parse_json, text, whole
from eventlog.formats.sse import MEDIA_TYPE, MESSAGE, Frame, parse_frames
from eventlog_client.answers import SignedCheckpoint
from eventlog_client.appends import receipt_fields
from eventlog_client.checkpoint_check import CheckpointChecker
from eventlog_client.errors import LogMisbehavedError, RefusedError, UnexpectedAnswerError, UnreachableError
from eventlog_client.transport import Parameters, Transport

_RETRY_SECONDS, _LONGEST_RETRY = 1.0, 30.0
_PATIENCE = (0.5, 1.0, 2.0, 4.0)
"""Seconds between looks at a chain that is shorter than before, as the server may only lag behind."""

_ACCEPT = f"{MEDIA_TYPE}, application/problem+json"
"""What takes streams and nothing else is told of errors in frames."""

T = TypeVar("T")
Sleep = Callable[[float], None]
Verified = Callable[[SignedCheckpoint], None]


@dataclass
class Tail:
    """The events of a stream, forever. ``read`` parses an event's JSON, ``size`` asks for the chain's size.

    If ``linked``, every event of the chain must come, each linked to the one before. A ``checker`` then checks signed
    checkpoints against them, and ``verified`` is called with each that holds.
    """

    transport: Transport
    filters: dict[str, Any]
    read: Callable[[bytes], Event]
    size: Callable[[], int]
    sleep: Sleep
    checked: bool
    linked: bool
    checker: CheckpointChecker | None = None
    verified: Verified = lambda _: None

    def events(self) -> Iterator[Event]:
        """Yield the events.

        Raises:
            LogMisbehavedError: the log shows an event or a checkpoint that can't be true.
            RefusedError: the log refuses the stream.
            UnexpectedAnswerError: it is not a stream of this API.
        """
        # Six kinds of frames. Without data: only an id, nothing to do. ``head``: the chain's size, which may not fall
        # below what was shown. ``end``: why the stream ends, which may be that the chain is shorter. ``checkpoint`` and
        # its ``cosignatures``: of interest with a checker. ``message``: an event, checked before it is yielded.
        last: Event | None = None
        known = 0
        connected = self.checker.connected if self.checker else lambda: None
        for frame in frames(self.transport, self.filters, self.sleep, connected):
            found: list[SignedCheckpoint] = []
            if frame.data is None:
                continue
            if frame.event in {"head", "end"}:
                size = _size(frame) if frame.event == "head" else _size_at_end(frame)
                if size is not None and size < known:
                    self._not_shorter(known, last)
                known = max(known, size or 0)
            elif frame.event == "checkpoint" and self.checker:
                found = self.checker.announce(frame)
            elif frame.event == "cosignatures" and self.checker:
                self.checker.cosigned(frame)
            elif frame.event == MESSAGE:
                event = self.read(frame.data)
                if self.checked:
                    self._is_wanted(last, event)
                    _follows(last, event, every=self.linked)
                found = self.checker.add(event) if self.checker else []
                yield event
                last, known = event, max(known, event.seq + 1)
            for checkpoint in found:
                self.verified(checkpoint)

    def _is_wanted(self, last: Event | None, event: Event) -> None:
        """Check that an event is of the chain that was asked for, and that the first one is where the stream begins.

        Raises:
            LogMisbehavedError: it is of another chain or at another place.
        """
        chain, start = self.filters["chain"], self.filters["from_seq"]
        if event.entry.chain != chain:
            why = f"asked for events of chain {chain}, and got one of chain {event.entry.chain}"
        elif last is None and start is not None and (event.seq < start or (self.linked and event.seq != start)):
            why = f"event {event.seq} is shown where event {start} belongs"
        else:
            return
        raise LogMisbehavedError(why, [receipt_fields(receipt_of(event))])

    def _not_shorter(self, known: int, last: Event | None) -> None:
        """Check that a chain which looks shorter than the ``known`` size grows back within a few seconds.

        Raises:
            LogMisbehavedError: it does not, so events are gone that were shown, or that the log said it had.
        """
        size = 0
        for seconds in _PATIENCE:
            size = patiently(self.size, self.sleep)
            if size >= known:
                return
            self.sleep(seconds)
        if last is not None and last.seq >= size:
            finding = f"the chain ends before event {last.seq}, which the log has shown"
            raise LogMisbehavedError(finding, [receipt_fields(receipt_of(last))])
        raise LogMisbehavedError(f"the chain has {size} events, and the log has said that it has {known}", [])


def frames(
    transport: Transport, parameters: Parameters, rest: Sleep, connected: Callable[[], None] = lambda: None
) -> Iterator[Frame]:
    """Yield frames forever: when a connection ends, the next one goes on after the last id.

    ``rest`` waits for some seconds; ``connected`` is called at the start of each connection.

    Raises:
        RefusedError: the log refuses the stream.
        UnexpectedAnswerError: it is not a stream of this API.
    """
    # Last-Event-ID makes the next connection go on without a gap. The log may ask for a pause with ``retry``, but not
    # for a long one; after a failure there always is one.
    last_id, wait = "", _RETRY_SECONDS
    while True:
        try:
            with transport.lines("/events/stream", parameters, accept=_ACCEPT, last_event_id=last_id or None) as lines:
                connected()
                for frame in parse_frames(lines, last_id):
                    # What an end says of the place is for who believes that the chain is shorter.
                    last_id = last_id if frame.event == "end" else frame.id
                    wait = wait if frame.retry is None else min(frame.retry / 1000, _LONGEST_RETRY)
                    yield frame
        except UnreachableError:
            wait = max(wait, _RETRY_SECONDS)  # it comes back, or the user stops
        rest(wait)


def patiently(step: Callable[[], T], rest: Sleep) -> T:
    """Run a step, again and again while the log can't be reached; return its result."""
    while True:
        try:
            return step()
        except UnreachableError:
            rest(_RETRY_SECONDS)


def _size(frame: Frame) -> int:
    """Read the chain's size in a ``head`` frame.

    Raises:
        UnexpectedAnswerError: there is no size in it.
    """
    try:
        return whole(members(parse_json(frame.data or b""), "a head"), "size")
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the stream's head is not one: {error}") from error


def _size_at_end(frame: Frame) -> int | None:
    """Read how many events the chain has from an ``end`` frame; None: the stream ends for another reason.

    Raises:
        RefusedError: what is stored is damaged, so that no later event may be shown.
        UnexpectedAnswerError: there is no reason in it.
    """
    try:
        given = members(parse_json(frame.data or b""), "an end")
        reason = text(given, "reason")
        if reason == "damaged":
            raise RefusedError(500, "Internal Server Error", "Stored data is damaged; run an audit.", [])
        return whole(given, "size") if reason == "shorter" else None
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the stream's end is not one: {error}") from error


def _follows(last: Event | None, event: Event, *, every: bool) -> None:
    """Check that an event may come after the last one; if ``every`` event is shown, that it is the next one.

    Raises:
        LogMisbehavedError: it may not; both receipts are the evidence.
    """
    if last is None:
        return
    shown = [receipt_fields(receipt_of(known)) for known in (last, event)]
    if event.seq <= last.seq or (every and event.seq != last.seq + 1):
        raise LogMisbehavedError(f"event {event.seq} is shown after event {last.seq}", shown)
    if (why := contradiction(last, event)) is not None:
        raise LogMisbehavedError(why, shown)
