"""What MongoDB really tells of each change, and which of them are wrong. Rows name what is done; nothing is simulated.

Only what a cluster that is not sharded can't do is given as MongoDB's documentation has it.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64, Timestamp
from pymongo import MongoClient
from pymongo.database import Database

from admin.setup import Setup
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.change_rules import FIELDS, RELEVANT, is_mark, judge
from eventlog.store.mongo.leases import Leases
from eventlog.store.mongo.roles import ROLES
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.watch import MongoWatch
from tests.integration.changes import HONEST, OTHER_VERSION, WRONG, fill
from tests.support.factories import draft
from tests.support.watched import from_now, told_since

pytestmark = pytest.mark.replica_set
"""Changes of every kind and rows without a chain, which no router lets in; test_sharded_setup.py watches a cluster."""


def told(store: MongoStore, act: Callable[[], object]) -> list[tuple[bool, str]]:
    """What comes of an act."""
    before = from_now(store)
    act()
    found = told_since(store, before)
    assert not any("secret" in str(change) for change in found)
    return [(change.wrong, change.what) for change in found]


def same(found: list[str], expected: list[str]) -> bool:
    """``*`` stands for what MongoDB or the test chose."""
    patterns = [re.escape(text).replace(r"\*", ".*") for text in expected]
    return len(found) == len(patterns) and all(map(re.fullmatch, patterns, found))


@pytest.fixture
def db(client: MongoClient[dict[str, Any]], database: str) -> Database[dict[str, Any]]:
    return client[database]


def test_what_the_log_and_its_operators_do_is_never_told(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    for name, act in HONEST.items():
        fill(db, checkpoints=not name.startswith("a collection"))
        assert told(store, lambda act=act: act(db)) == [], name  # type: ignore[misc]


def test_what_nobody_should_do_is_told_without_a_payload(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    for name, (act, expected) in WRONG.items():
        fill(db, checkpoints=not any("anew" in text for text in expected))
        found = told(store, lambda act=act: act(db))  # type: ignore[misc]
        assert all(wrong for wrong, _ in found), name
        assert same([what for _, what in found], expected), (name, found)


def test_rules_of_another_version_accuse_nobody(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    """While a new version is brought in, its rules are there and the audit is still the old one."""
    fill(db, checkpoints=True)
    text = "events: its validator was changed to one that this version does not declare"
    assert told(store, lambda: db.command("collMod", "events", **OTHER_VERSION)) == [(False, text)]


def test_setting_a_database_up_is_never_told(store: MongoStore, db: Database[dict[str, Any]], mongo_uri: str) -> None:
    """A new one, one that is in use, and one whose rules were never declared."""
    setup = Setup(db.client, mongo_uri, db.name, check=False)

    def twice() -> None:
        for _ in range(2):
            assert all(result.state != "refused" for result in setup.collections())

    assert told(store, twice) == []
    db.client.drop_database(db.name)
    store.append("main", [draft() for _ in range(3)])
    assert told(store, twice) == []


def test_no_write_that_a_role_may_make_is_told() -> None:
    operations = {"insert": ["insert"], "update": ["update", "replace"]}
    writes = [
        (collection, operation)
        for role in ROLES
        for collection, actions in role.actions.items()
        for action in actions
        for operation in operations.get(action, [])
    ]
    assert {collection for collection, _ in writes} == {declared.name for declared in COLLECTIONS}
    for collection, operation in writes:
        event: dict[str, Any] = {"operationType": operation, "ns": {"db": "x", "coll": collection}}
        event["documentKey"] = {"_id": "main/x"}
        if collection == "events" and operation != "insert":  # who erases may update it; what it does is one kind of it
            event["erasure"] = operation == "update"
            if operation == "replace":
                assert judge(event) is not None
                continue
        assert judge(event) is None, (collection, operation)


def test_the_logs_own_work_is_never_told(store: MongoStore) -> None:
    audits, leases = AuditStore(store), Leases(store)

    def work() -> None:
        for _ in range(120):
            store.append("main", [draft()])
        store.append("main", [draft() for _ in range(300)])
        store.settle("main")
        assert leases.take("schedule/full", "me")
        leases.renew("schedule/full", "me")
        leases.release("schedule/full", "me")
        audits.forget_verified("main", 3)
        assert audits.waiting() == []
        operations_of(store).ensure_indexes()

    assert told(store, work) == []


def test_normal_work_does_not_cross_the_wire_and_nothing_of_a_row_does(
    store: MongoStore, db: Database[dict[str, Any]]
) -> None:
    """But for the first three changes of a second, by which a server gets through a long record."""
    with db.watch([{"$match": RELEVANT}, {"$project": FIELDS}], show_expanded_events=True) as stream:
        for _ in range(200):
            store.append("main", [draft(payload={"secret": 1})])
        store.settle("main")
        db.events.update_one({"chain": "main", "seq": 7}, {"$set": {"payload": '{"secret":2}'}})
        db.events.replace_one({"chain": "main", "seq": 8}, {"payload": '{"secret":3}'})
        MongoWatch(store).put_mark()
        crossed = [stream.next()]
        while not is_mark(crossed[-1]):
            crossed.append(stream.next())
    assert "secret" not in str(crossed)
    passed = [event for event in crossed if event["clusterTime"].inc > 3 and not is_mark(event)]
    assert {event["operationType"] for event in passed} <= {"create", "createIndexes", "update", "replace"}
    assert sum(event["operationType"] in {"update", "replace"} for event in passed) <= 2


def test_the_chain_and_the_seq_come_from_the_row_or_its_id(store: MongoStore, db: Database[dict[str, Any]]) -> None:
    fill(db, checkpoints=True)
    before = from_now(store)
    db.events.update_one({}, {"$set": {"x": 1}})
    db.events.replace_one({}, {"chain": "other", "seq": Int64(9)})
    db.sequences.delete_one({})
    db.audits.delete_one({"_id": "r"})
    db.checkpoints.delete_one({})
    found = told_since(store, before)
    assert [(change.chain, change.seq) for change in found] == [
        ("main", None),
        ("other", 9),
        ("main", None),
        (None, None),
        ("main", None),
    ]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("shardCollection", None),
        ("refineCollectionShardKey", None),
        ("reshardCollection", None),
        ("invalidate", None),
        ("somethingNew", False),
    ],
)
def test_what_a_sharded_cluster_or_a_later_server_tells(operation: str, expected: bool | None) -> None:
    event = {
        "operationType": operation,
        "ns": {"db": "log", "coll": "events"},
        "clusterTime": Timestamp(1, 1),
        "operationDescription": {"shardKey": {"chain": 1, "seq": 1}},
    }
    found = judge(event)
    assert (found and found.wrong) == expected
