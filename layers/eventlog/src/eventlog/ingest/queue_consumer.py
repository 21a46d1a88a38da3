"""From delivered messages to appended events: each chain in its order, each event once.

A message stays in the queue until it is acknowledged, and its group (its chain) waits for it. So a message is done
once it is appended or dead-lettered. It has failed, and comes again with all that follow it, when it is not known to be
at fault: the store or the dead-letter queue can't be reached, or the chain's stored data is damaged.

A message whose id is that of an erased event is dropped. It may well be what was erased, delivered once more, and a
dead letter would keep it for days.

A message is dead-lettered at once, with the reason, if trying again can't help: ``parse_message`` does not take it, it
waits in another chain's group, or its id exists with other content. Such a message never blocks its chain.

A process may die, or a reply be lost, between any two steps; then messages that are done already come again:

- appended, not acknowledged: the store knows the id and the content, and adds nothing (every id counts as chosen).
- dropped, as the event with its id was erased: dropped again.
- dead-lettered, not acknowledged: it is dead-lettered again under the id of the message, which the dead-letter queue
  takes once in five minutes; the queue's visibility timeout is shorter. (If a reply of the dead-letter queue is lost
  and it can't be reached for the next five minutes, it has the message twice.)

What was appended is never dead-lettered: it is its own replay. What was dead-lettered is not appended when it comes
again, as events are never removed, so a conflict stays one; unless the database was restored from a backup meanwhile.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog.fields import MAX_BATCH, MAX_BATCH_TEXT
from eventlog.ingest.queue_message import MessageError, Queue, parse_message
from eventlog.store.errors import IdConflictError, IdErasedError, StoreError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed

STEP_SECONDS = 24.0
"""What one append or one dead letter may take (``store.mongo.connect``)."""


class Message(NamedTuple):
    """A delivered message: its id, the group it waits in, its text."""

    message_id: str
    group: str
    body: str


class Dead(NamedTuple):
    """A message that was dead-lettered. The reason begins with ``malformed:`` or ``conflict:``."""

    message: Message
    reason: str


class Failure(NamedTuple):
    """Messages of one chain that must be delivered again, in their order, and why."""

    messages: list[Message]
    error: Exception


@dataclass(slots=True)
class Outcome:
    """What became of a delivery: each of its messages is appended, dropped, dead or failed.

    ``placed`` are the appended ones with their places; of the ``dropped`` ones the events with their ids were erased.
    """

    placed: list[Placed] = field(default_factory=list)
    dropped: list[Message] = field(default_factory=list)
    dead: list[Dead] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def stored(self) -> int:
        """How many events this delivery added to the log.

        If an acknowledgement was lost and the same delivery comes again, they count again: nothing tells the two apart.
        """
        places = {(item.event.entry.chain, item.event.seq) for item in self.placed if not item.replayed}
        return len(places)

    @property
    def failed(self) -> list[str]:
        """Ids of the messages to deliver again."""
        return [message.message_id for failure in self.failures for message in failure.messages]


class _Waiting(NamedTuple):
    """A message with its draft, or with the reason why there is none."""

    message: Message
    draft: Draft | None
    reason: str


class Consumer:
    """Appends deliveries. ``append`` is the store's; ``dead_letters`` keeps what can't be appended."""

    def __init__(self, append: Callable[[str, Sequence[Draft]], list[Placed]], dead_letters: Queue) -> None:
        self._append = append
        self._dead_letters = dead_letters

    def consume(self, messages: Iterable[Message], seconds_left: Callable[[], float]) -> Outcome:
        """Append a delivery, chain by chain; no step begins unless ``seconds_left`` is enough for it."""
        outcome = Outcome()
        chains: dict[str, list[_Waiting]] = {}
        for message in messages:
            chains.setdefault(message.group, []).append(_read(message))
        for chain, waiting in chains.items():
            try:
                while waiting:
                    _check_time(seconds_left)
                    self._step(chain, waiting, outcome)
            except Exception as error:  # nothing says that a message is at fault; the other chains go on
                outcome.failures.append(Failure([item.message for item in waiting], error))
        return outcome

    def _step(self, chain: str, waiting: list[_Waiting], outcome: Outcome) -> None:
        """Dead-letter the first message that is at fault, or append the longest run there is; take them off."""
        # Messages at fault are taken out first; what is left is appended in runs that are as long as can be.
        at_fault = next((index for index, item in enumerate(waiting) if item.draft is None), None)
        if at_fault is not None:
            self._dead_letter(waiting, at_fault, outcome)
            return
        run = _run(waiting)
        drafts = [item.draft for item in waiting[:run] if item.draft]
        try:
            outcome.placed += self._append(chain, drafts)
        except IdErasedError as erased:
            # Nothing of the run was stored. The next step appends what is left of it.
            kept = [item for item in waiting[:run] if not item.draft or item.draft.entry.event_id not in erased.ids]
            outcome.dropped += [item.message for item in waiting[:run] if item not in kept]
            waiting[:run] = kept
        except IdConflictError as conflict:
            # Nothing of the run was stored. The next steps dead-letter those at fault, and append the rest.
            for index, item in enumerate(waiting[:run]):
                if item.draft and item.draft.entry.event_id in conflict.ids:
                    waiting[index] = _Waiting(item.message, None, "conflict: the id exists with other content")
        else:
            del waiting[:run]

    def _dead_letter(self, waiting: list[_Waiting], index: int, outcome: Outcome) -> None:
        """Dead-letter one message; if that can't be done now, it and all after it fail, so that none overtakes it."""
        message, _, reason = waiting[index]
        try:
            self._dead_letters.send(message.group, message.body, once=message.message_id, reason=reason)
        except StoreError as error:
            outcome.failures.append(Failure([item.message for item in waiting[index:]], error))
            del waiting[index:]
        else:
            outcome.dead.append(Dead(message, reason))
            del waiting[index]


def _read(message: Message) -> _Waiting:
    try:
        draft = parse_message(message.body)
    except MessageError as error:
        return _Waiting(message, None, f"malformed: {error}")
    if draft.entry.chain != message.group:
        return _Waiting(message, None, "malformed: it waits in another chain's group")
    return _Waiting(message, draft, "")


def _run(waiting: Sequence[_Waiting]) -> int:
    """Count the messages that go in one batch: their ids are distinct, and they keep to the limits of a batch.

    A second message with the same id goes in the next batch, so it is answered as a replay or a conflict.
    """
    ids: set[str] = set()
    size = 0
    for index, (message, draft, _) in enumerate(waiting[:MAX_BATCH]):
        size += len(message.body)
        if draft is None or draft.entry.event_id in ids or (index and size > MAX_BATCH_TEXT):
            return index
        ids.add(draft.entry.event_id)
    return min(len(waiting), MAX_BATCH)


def _check_time(seconds_left: Callable[[], float]) -> None:
    if seconds_left() < STEP_SECONDS:
        raise StoreUnavailableError("no time left in this delivery")
