"""Writers are killed between every two steps of append and settle, while others write to the same chain."""

from pathlib import Path

import pytest

from eventlog.store.mongo.store import MongoStore, operations_of
from tests.integration.writer import CHAIN, Line, Writer, check_chain, named, receipt

FIRST_USE = ["has_events:after:1", "ensure_indexes:after:1", "create:before:1", "create:after:1", "push:before:2"]
ANY_TIME = [
    "read_sequence:before:3",
    "read_sequence:after:3",
    "read_events:after:3",
    "push:before:3",
    "push:after:3",
    "insert:before:2",
    "insert:after:2",
    "trim:before:2",
    "trim:after:2",
    "trim_all:before:1",
    "trim_all:after:1",
    "read_pending:before:1",
    "read_pending:after:1",
    "insert_bodies:before:2",
    "insert_bodies:after:2",
]


def retry(store: MongoStore, writers: list[Writer]) -> list[Line]:
    """What clients of chosen ids do: send everything again that was under way."""
    tried = [ids for writer in writers for ids in writer.tried()]
    return [receipt(p) for ids in tried for p in store.append(CHAIN, [named(event_id) for event_id in ids])]


def check(store: MongoStore, writers: list[Writer]) -> None:
    """Every receipt is true before and after the clients' retries, and these give each event once."""
    receipts = [given for writer in writers for given in writer.receipts()]
    check_chain(store, receipts)
    assert [writer.failures() for writer in writers] == [[]] * len(writers)
    check_chain(store, receipts + retry(store, writers))


@pytest.mark.parametrize("die_at", FIRST_USE)
def test_a_writer_killed_at_a_chain_s_first_use(
    store: MongoStore, mongo_uri: str, database: str, tmp_path: Path, die_at: str
) -> None:
    others = [Writer(mongo_uri, database, f"other-{i}", tmp_path, count=5) for i in range(2)]
    victim = Writer(mongo_uri, database, "victim", tmp_path, die_at, chosen=True)
    victim.go()
    victim.wait_for_death()
    for other in others:
        other.go()
    for other in others:
        other.finish()
    check(store, [victim, *others])


def test_writers_killed_at_every_step_while_others_append(
    store: MongoStore, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    others = [Writer(mongo_uri, database, f"other-{i}", tmp_path, chosen=i == 0, batch=1 + 2 * i) for i in range(2)]
    for other in others:
        other.go()
        other.wait_for(1)
    dead: list[Writer] = []
    for number, die_at in enumerate(ANY_TIME):
        chosen = number % 2 == 0 or die_at.startswith(("read_events", "insert_bodies"))
        batch = 6 if die_at.startswith("trim_all") else 3 if number % 4 < 2 else 1
        dead.append(Writer(mongo_uri, database, f"victim-{number}", tmp_path, die_at, chosen=chosen, batch=batch))
        dead[-1].go()
        dead[-1].wait_for_death()
        for other in others:
            other.wait_for(2)
    for other in others:
        other.kill()
    check(store, [*dead, *others])


def test_what_a_lone_dead_writer_left_is_settled_by_the_audit(
    store: MongoStore, mongo_uri: str, database: str, tmp_path: Path
) -> None:
    dead: list[Writer] = []
    for number, die_at in enumerate(["push:after:2", "insert:before:1", "insert:after:1", "trim:before:1"]):
        dead.append(Writer(mongo_uri, database, f"victim-{number}", tmp_path, die_at, chosen=True))
        dead[-1].go()
        dead[-1].wait_for_death()
        sequence = operations_of(store).sequences.find_one({"_id": CHAIN})
        assert sequence is not None
        assert len(sequence["pending"]) > 0
        check(store, dead)
