"""Random deliveries: whatever is delivered when, twice, in part or with faults, each chain ends as its queue said."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.ingest.queue_consumer import STEP_SECONDS, Consumer, Message
from eventlog.ingest.queue_message import format_message, parse_message
from eventlog.store.errors import QueueUnavailableError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed, Query
from eventlog.store.mongo.store import MongoStore
from tests.support.factories import draft

FAULTS = ["none", "none", "lost", "refused"]
"""How a step ends: done; done, but reported as failed; not done."""


class Faulty:
    """The store and a dead-letter queue, both with faults that are drawn; it keeps one dead letter an id."""

    def __init__(self, store: MongoStore, data: st.DataObject) -> None:
        self.store, self.data = store, data
        self.calm = False
        self.dead: dict[str, str] = {}

    def _fault(self) -> str:
        return "none" if self.calm else self.data.draw(st.sampled_from(FAULTS))

    def append(self, chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        fault = self._fault()
        placed = [] if fault == "refused" else self.store.append(chain, drafts)
        if fault != "none":
            raise StoreUnavailableError(fault)
        return placed

    def send(self, group: str, body: str, *, once: str, reason: str | None = None) -> None:
        fault = self._fault()
        if fault != "refused":
            assert group in body or reason != "conflict: the id exists with other content"
            self.dead.setdefault(once, f"{reason}".partition(":")[0])
        if fault != "none":
            raise QueueUnavailableError(fault)


def queued(data: st.DataObject, chain: str) -> list[Message]:
    """A chain's messages: few ids and contents, so that they come again and contradict each other; and poison."""
    kinds = st.tuples(st.sampled_from("abcdef"), st.integers(0, 1), st.booleans())
    found = []
    for number, (event_id, content, good) in enumerate(data.draw(st.lists(kinds, max_size=9))):
        body = format_message(draft(event_id, chain=chain, payload={"n": content}, received_at=number))
        found.append(Message(f"{chain}-{number}", chain, body if good or number % 2 else body[:-1]))
    return found


def expected(messages: Sequence[Message], dead: dict[str, str]) -> list[str]:
    """The bodies that a chain ends with, in order; what must be dead is put into ``dead``."""
    first: dict[str, Draft] = {}
    for message in messages:
        event = read(message)
        if event is None:
            dead[message.message_id] = "malformed"
        elif first.setdefault(event.entry.event_id, event).entry.payload != event.entry.payload:
            dead[message.message_id] = "conflict"
    return [format_message(event) for event in first.values()]


def read(message: Message) -> Draft | None:
    return parse_message(message.body) if message.body.endswith("}") else None


def stored(store: MongoStore, chain: str) -> list[str]:
    events = store.page(Query(chain=chain, sort="seq", order="asc", limit=1000)).events
    assert [event.seq for event in events] == list(range(len(events)))
    return [format_message(Draft(event.entry)) for event in events]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_each_accepted_event_ends_once_in_its_place_or_dead_with_a_reason(store: MongoStore, data: Any) -> None:
    chains = [f"c{uuid4().hex[:8]}" for _ in range(3)]
    queue = {chain: queued(data, chain) for chain in chains}
    wanted_dead: dict[str, str] = {}
    wanted = {chain: expected(messages, wanted_dead) for chain, messages in queue.items()}
    faulty = Faulty(store, data)
    consumer = Consumer(faulty.append, faulty)
    for turn in range(100):
        faulty.calm = turn > 6
        delivery = []
        for chain in chains:
            count = len(queue[chain]) if faulty.calm else data.draw(st.integers(0, len(queue[chain])))
            delivery += queue[chain][:count]
        outcome = consumer.consume(delivery, lambda: STEP_SECONDS)
        failed = set(outcome.failed)
        done = {message.message_id for message in delivery} - failed
        assert {dead.message.message_id for dead in outcome.dead} <= done
        if faulty.calm or data.draw(st.booleans()):  # else the acknowledgement is lost, and all comes again
            queue = {chain: [m for m in messages if m.message_id not in done] for chain, messages in queue.items()}
        if not any(queue.values()):
            break
    assert not any(queue.values())
    assert {chain: stored(store, chain) for chain in chains} == wanted
    assert faulty.dead == wanted_dead
