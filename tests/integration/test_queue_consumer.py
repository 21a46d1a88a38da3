"""From deliveries into the log: order, duplicates, poison, what is out of reach, and crashes between any two steps."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import Any

import pytest
from pymongo import MongoClient

from eventlog.ingest.deliveries import Deliveries
from eventlog.ingest.queue_consumer import STEP_SECONDS, Consumer, Message, Outcome
from eventlog.ingest.queue_message import format_message
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import QueueUnavailableError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed, Query
from eventlog.store.mongo.erasures import MongoErasures
from eventlog.store.mongo.store import MongoStore
from eventlog.wiring.connection import Connection
from eventlog.wiring.queue import QueueWiring
from tests.support.factories import draft
from tests.support.queues import Queues, fifo_queues, store_down

CONFLICT = "conflict: the id exists with other content"


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    with fifo_queues(monkeypatch) as queues:
        yield queues


@pytest.fixture
def wired(queues: Queues, mongo_uri: str, database: str) -> Iterator[QueueWiring]:
    with closing(Connection(queues.settings(mongo_uri, database))) as connection:
        yield QueueWiring(connection)


_numbers = count()


def message(event_id: str, chain: str = "main", group: str | None = None, **fields: Any) -> Message:
    """A message with an id of its own (``event_id-chain-number``)."""
    body = format_message(draft(event_id, chain=chain, **fields))
    return Message(f"{event_id}-{chain}-{next(_numbers)}", group or chain, body)


def poison(group: str = "main") -> Message:
    return Message(f"poison-{next(_numbers)}", group, "{}")


def ids(store: MongoStore, chain: str = "main") -> list[str]:
    """The chain's event ids in its order."""
    events = store.page(Query(chain=chain, sort="seq", order="asc", limit=1000)).events
    assert [event.seq for event in events] == list(range(len(events)))
    return [event.entry.event_id for event in events]


def consume(wired: QueueWiring, *messages: Message) -> Outcome:
    return wired.consumer.consume(messages, lambda: STEP_SECONDS)


class Dead:
    """Dead letters in memory, kept once for each ``once``.

    ``error`` says how the next one fails, ``keeps`` whether it is kept all the same.
    """

    def __init__(self, error: Callable[[], Exception | None] = lambda: None, keeps: bool = False) -> None:
        self.kept: dict[str, tuple[str, str, str | None]] = {}
        self.error, self.keeps = error, keeps

    def send(self, group: str, body: str, *, once: str, reason: str | None = None) -> None:
        error = self.error()
        if error is None or self.keeps:
            self.kept.setdefault(once, (group, body, reason))
        if error is not None:
            raise error


def test_each_chain_of_a_delivery_is_appended_in_its_order_in_one_batch(
    wired: QueueWiring, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    appends: list[tuple[str, int]] = []
    append = wired.log.append

    def recorded(chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        appends.append((chain, len(drafts)))
        return append(chain, drafts)

    monkeypatch.setattr(wired.log, "append", recorded)
    places = [("a", "1"), ("b", "2"), ("a", "3"), ("b", "1"), ("a", "2")]
    outcome = consume(wired, *(message(event_id, chain) for chain, event_id in places))
    assert (outcome.stored, outcome.dead, outcome.failed) == (5, [], [])
    assert (ids(store, "a"), ids(store, "b")) == (["1", "3", "2"], ["2", "1"])
    assert appends == [("a", 3), ("b", 2)]


def test_a_message_whose_event_was_erased_is_dropped_and_the_others_of_its_chain_go_on(
    wired: QueueWiring, store: MongoStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead letter would keep for days what was erased."""
    consume(wired, message("1"), message("2"))
    store.settle("main")
    MongoErasures(store).erase(MongoErasures(store).settled("main", [0]).values())
    again = [message("1", payload={"secret": 1}), message("3"), message("2"), message("2", payload={"other": 1})]
    records: Any = [
        {"messageId": each.message_id, "body": each.body, "attributes": {"MessageGroupId": each.group}}
        for each in again
    ]
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    kept = Dead()
    answer = Deliveries(Consumer(store.append, kept), "x").consume({"Records": records}, lambda: STEP_SECONDS)
    assert answer == {"batchItemFailures": []}
    assert [reason for _, _, reason in kept.kept.values()] == [CONFLICT]
    assert ids(store) == ["1", "2", "3"]
    shown = capsys.readouterr().out
    assert '"ErasedDropped":[1.0]' in shown
    assert "the event with its id was erased" in shown
    assert "secret" not in shown


def test_what_is_appended_is_what_was_accepted(wired: QueueWiring, store: MongoStore) -> None:
    made = draft("e", principal="arn:x", received_at=5, timestamp=7, payload={"a": [1.5, "\0é"]}, source_id="s2")
    consume(wired, Message("m", "main", format_message(made)))
    found = store.get("main", "e")
    assert found is not None
    assert found.entry == made.entry


def test_a_delivery_that_comes_again_adds_nothing(wired: QueueWiring, store: MongoStore) -> None:
    delivery = [message("a"), message("b", "other"), message("c")]
    consume(wired, *delivery)
    outcome = consume(wired, *delivery[1:], delivery[0], message("d"))
    assert (outcome.dead, outcome.failed) == ([], [])
    assert (ids(store), ids(store, "other")) == (["a", "c", "d"], ["b"])


def test_a_message_that_comes_twice_in_one_delivery_is_one_event(wired: QueueWiring, store: MongoStore) -> None:
    twice = message("a")
    outcome = consume(wired, twice, message("b"), twice)
    assert (outcome.stored, outcome.dead, outcome.failed) == (2, [], [])
    assert ids(store) == ["a", "b"]


def test_a_client_that_sent_an_id_twice_has_one_event(wired: QueueWiring, store: MongoStore) -> None:
    outcome = consume(wired, message("a", received_at=1), message("b"), message("a", received_at=2))
    assert (outcome.stored, [item.replayed for item in outcome.placed]) == (2, [False, False, True])
    assert ids(store) == ["a", "b"]


def test_an_id_with_other_content_is_dead_and_the_rest_is_appended_in_order(
    wired: QueueWiring, store: MongoStore, queues: Queues
) -> None:
    store.append("main", [draft("b")])
    delivery = [message("a"), message("b", payload={"n": 2}), message("c"), message("b")]
    outcome = consume(wired, *delivery)
    assert [(dead.message, dead.reason) for dead in outcome.dead] == [(delivery[1], CONFLICT)]
    assert queues.dead() == [("main", delivery[1].body, CONFLICT)]
    assert (outcome.stored, outcome.failed, ids(store)) == (2, [], ["b", "a", "c"])


def test_of_two_contents_of_an_id_in_one_delivery_the_first_is_appended(
    wired: QueueWiring, store: MongoStore, queues: Queues
) -> None:
    delivery = [message("a"), message("a", payload={"n": 2}), message("b"), message("a", payload={"n": 3})]
    outcome = consume(wired, *delivery)
    assert [dead.message for dead in outcome.dead] == [delivery[1], delivery[3]]
    assert ids(store) == ["a", "b"]
    found = store.get("main", "a")
    assert found is not None
    assert found.entry.payload == '{"n":1}'
    assert len(queues.dead()) == 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (poison(), "malformed: a message has the members that version 1 says"),
        (Message("m", "main", "é"), "malformed: not ASCII"),
        (message("x", "other", group="main"), "malformed: it waits in another chain's group"),
        (message("x", "eventlog.registry", group="main"), "malformed: /chain: Value error, may not start with"),
        (message("x", event_type="eventlog.chain_restored"), "malformed: /event_type"),
    ],
    ids=["members", "not ascii", "group", "registry", "type"],
)
def test_poison_in_the_middle_is_dead_at_once_and_never_appended(
    wired: QueueWiring, store: MongoStore, bad: Message, reason: str
) -> None:
    outcome = consume(wired, message("a"), bad, message("b"))
    assert ([dead.message for dead in outcome.dead], outcome.failed) == ([bad], [])
    assert outcome.dead[0].reason.startswith(reason)
    assert ids(store) == ["a", "b"]
    assert [chain.name for chain in store.chains("", 10)] == ["main"]


def test_a_chain_of_the_logs_own_is_never_appended_to(wired: QueueWiring, store: MongoStore) -> None:
    outcome = consume(wired, message("x", "eventlog.registry"))
    assert len(outcome.dead) == 1
    assert store.chains("", 10) == []


def test_a_message_without_room_for_a_reason_is_dead_without_one(wired: QueueWiring, queues: Queues) -> None:
    huge = Message("m", "main", "x" * (1 << 20))
    outcome = consume(wired, huge)
    assert (len(outcome.dead), outcome.failed) == (1, [])
    assert queues.dead() == [("main", huge.body, "")]


def test_a_reason_is_written_in_ascii_without_control_characters(wired: QueueWiring, queues: Queues) -> None:
    payload = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "A\n\ufffe\0": 1}
    consume(wired, message("ce-x", payload=payload))
    ((_, _, reason),) = queues.dead()
    assert reason.startswith("malformed: /A\\n\\ufffe\\u0000: ")


def test_while_the_store_is_down_all_is_delivered_again_and_nothing_is_dead(queues: Queues, wired: QueueWiring) -> None:
    with store_down(queues.settings("mongodb://127.0.0.1:1/", "none")) as down:
        delivery = [message("a"), message("b", "other"), message("c")]
        outcome = consume(down, *delivery)
    assert (outcome.placed, outcome.dead) == ([], [])
    assert sorted(outcome.failed) == sorted(item.message_id for item in delivery)
    assert queues.dead() == []
    assert consume(wired, *delivery).stored == 3


def test_a_lost_chain_waits_and_the_others_go_on(
    wired: QueueWiring, store: MongoStore, client: MongoClient[dict[str, Any]], database: str, queues: Queues
) -> None:
    store.append("lost", [draft(chain="lost")])
    store.settle("lost")
    client[database]["sequences"].delete_one({"_id": "lost"})
    delivery = [message("a", "lost"), message("b"), message("c", "lost")]
    outcome = consume(wired, *delivery)
    assert outcome.failed == [delivery[0].message_id, delivery[2].message_id]
    assert (ids(store), queues.dead()) == (["b"], [])


def test_a_damaged_chain_waits_and_the_others_go_on(
    wired: QueueWiring, store: MongoStore, client: MongoClient[dict[str, Any]], database: str, queues: Queues
) -> None:
    store.append("bad", [draft(chain="bad")])
    client[database]["sequences"].update_one(
        {"_id": "bad"}, {"$set": {"settled": "?"}}, bypass_document_validation=True
    )
    outcome = consume(wired, message("a", "bad"), message("b"))
    assert [type(failure.error).__name__ for failure in outcome.failures] == ["CorruptionError"]
    assert (ids(store), queues.dead()) == (["b"], [])


def test_an_error_that_nobody_expected_fails_its_chain_alone(
    wired: QueueWiring, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = wired.log.append

    def broken(chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        if chain == "bad":
            raise TypeError("a bug")
        return append(chain, drafts)

    monkeypatch.setattr(wired.log, "append", broken)
    first = message("a", "bad")
    outcome = consume(wired, first, message("b"))
    assert (outcome.failed, outcome.dead, ids(store)) == ([first.message_id], [], ["b"])


def test_while_dead_letters_can_not_be_kept_poison_and_what_follows_wait(
    queues: Queues, wired: QueueWiring, store: MongoStore, mongo_uri: str, database: str
) -> None:
    settings = queues.settings(mongo_uri, database, EVENTLOG_DEAD_LETTERS_URL=f"{queues.url}-not-there.fifo")
    delivery = [message("a"), poison(), message("b"), message("c", "other")]
    with closing(Connection(settings)) as down:
        outcome = consume(QueueWiring(down), *delivery)
    assert outcome.failed == [delivery[1].message_id, delivery[2].message_id]
    assert (ids(store), ids(store, "other")) == (["a"], ["c"])
    again = consume(wired, *delivery[1:3])
    assert (len(again.dead), again.failed, ids(store)) == (1, [], ["a", "b"])


def test_while_dead_letters_can_not_be_kept_a_conflict_and_what_follows_wait(store: MongoStore) -> None:
    store.append("main", [draft("b")])
    delivery = [message("a"), message("b", payload={"n": 2}), message("c")]
    outcome = Consumer(store.append, Dead(lambda: QueueUnavailableError("down"))).consume(
        delivery, lambda: STEP_SECONDS
    )
    assert outcome.failed == [delivery[1].message_id, delivery[2].message_id]
    assert ids(store) == ["b", "a"]


def test_no_step_begins_that_there_is_no_time_for(wired: QueueWiring, store: MongoStore) -> None:
    left = iter([STEP_SECONDS, STEP_SECONDS - 0.1, STEP_SECONDS - 0.2])
    delivery = [message("a", "one"), message("b", "two"), message("c", "three"), message("d", "two")]
    outcome = wired.consumer.consume(delivery, lambda: next(left))
    assert outcome.failed == [delivery[1].message_id, delivery[3].message_id, delivery[2].message_id]
    assert (ids(store, "one"), ids(store, "two"), ids(store, "three")) == (["a"], [], [])


def test_a_batch_keeps_to_the_limits_of_the_store(store: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    appends: list[int] = []

    def recorded(chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        appends.append(len(drafts))
        return store.append(chain, drafts)

    monkeypatch.setattr("eventlog.ingest.queue_consumer.MAX_BATCH", 3)
    monkeypatch.setattr("eventlog.ingest.queue_consumer.MAX_BATCH_TEXT", 5000)
    consumer = Consumer(recorded, Dead())
    large = [message(f"l{n}", payload={"x": "a" * size}) for n, size in enumerate((6000, 2000, 2000, 2000))]
    outcome = consumer.consume([message(f"s{n}") for n in range(7)] + large, lambda: STEP_SECONDS)
    assert appends == [3, 3, 1, 1, 2, 1]
    assert (outcome.failed, ids(store)) == ([], [*(f"s{n}" for n in range(7)), *(f"l{n}" for n in range(4))])


def test_a_crash_after_the_append_and_before_the_acknowledgement_adds_nothing_later(
    store: MongoStore, wired: QueueWiring
) -> None:
    delivery = [message("a"), message("b")]

    def crashing(chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        store.append(chain, drafts)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Consumer(crashing, Dead()).consume(delivery, lambda: STEP_SECONDS)
    assert ids(store) == ["a", "b"]
    outcome = consume(wired, *delivery, message("c"))
    assert (outcome.dead, outcome.failed, ids(store)) == ([], [], ["a", "b", "c"])


def test_a_crash_after_dead_lettering_and_before_the_acknowledgement_leaves_one_dead_letter(
    wired: QueueWiring, store: MongoStore, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = [poison(), message("a")]

    def crashing(*_: object) -> list[Placed]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(wired.log, "append", crashing)
        with pytest.raises(KeyboardInterrupt):
            consume(wired, *delivery)
    del wired.__dict__["consumer"]
    outcome = consume(wired, *delivery)
    assert (len(outcome.dead), outcome.failed, ids(store)) == (1, [], ["a"])
    assert [body for _, body, _ in queues.dead()] == [delivery[0].body]


def test_a_reply_of_the_dead_letter_queue_that_was_lost_leaves_one_dead_letter(store: MongoStore) -> None:
    errors: list[Exception | None] = [QueueUnavailableError("lost"), None]
    dead = Dead(lambda: errors.pop(0), keeps=True)
    delivery = [poison(), message("a")]
    consumer = Consumer(store.append, dead)
    assert consumer.consume(delivery, lambda: STEP_SECONDS).failed == [item.message_id for item in delivery]
    assert consumer.consume(delivery, lambda: STEP_SECONDS).failed == []
    assert (list(dead.kept), ids(store)) == ([delivery[0].message_id], ["a"])


def test_an_append_whose_reply_was_lost_is_done_once(store: MongoStore) -> None:
    lost = [True]

    def losing(chain: str, drafts: Sequence[Draft]) -> list[Placed]:
        placed = store.append(chain, drafts)
        if lost.pop() if lost else False:
            raise StoreUnavailableError("lost")
        return placed

    consumer, delivery = Consumer(losing, Dead()), [message("a"), message("b")]
    assert len(consumer.consume(delivery, lambda: STEP_SECONDS).failed) == 2
    assert consumer.consume(delivery, lambda: STEP_SECONDS).failed == []
    assert ids(store) == ["a", "b"]


def test_a_consumer_needs_a_place_for_dead_letters() -> None:
    with pytest.raises(ConfigurationError, match="EVENTLOG_DEAD_LETTERS_URL"):
        _ = QueueWiring(Connection(Settings(mongo_uri="mongodb://127.0.0.1:1/"))).consumer
