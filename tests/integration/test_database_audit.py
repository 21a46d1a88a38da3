"""The audit of the database as a whole: what an honest log looks like, and every way in which it can differ."""

from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from admin.setup import Setup
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport, Mode
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.indexes import EVENTS, Index
from eventlog.store.mongo.roles import ROLES
from eventlog.store.mongo.schema import COLLECTIONS
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from tests.support.anchored import ORIGIN, AnchoredLog, kinds
from tests.support.each import each
from tests.support.secured import SecuredLog
from tests.support.used import database_of, rows

Document = dict[str, Any]
NAMES = [declared.name for declared in COLLECTIONS]


def report_of(store: MongoStore, mode: Mode = "incremental", *, set_up: bool = False) -> AuditReport | None:
    """What a scheduled audit says of the database as a whole."""
    auditor = Auditor(store, AuditStore(store), ORIGIN, set_up=set_up)
    return {report.chain: report for report in auditor.audit_all(mode, 60)}.get("")


def seen(store: MongoStore, *, set_up: bool = False) -> tuple[int, str | None]:
    """How many differences are findings, and what the others are."""
    shape = AuditStore(store).database.shape(set_up=set_up)
    return len(shape.mismatches), "; ".join(shape.unclear) or None


def test_an_empty_database_and_one_in_use_are_as_they_must_be(
    used: MongoStore, client: MongoClient[Document], database: str
) -> None:
    empty = open_log(client, database, ORIGIN)
    assert (seen(empty), rows(empty, whole=True)) == ((0, None), [])
    assert (seen(used), rows(used, whole=True), rows(used, whole=False)) == ((0, None), [], [])
    assert report_of(used, "full") is None


@pytest.mark.new_database
def test_a_database_that_was_set_up_is_as_declared_before_and_in_use(
    client: MongoClient[Document], mongo_uri: str, database: str, store: MongoStore, tmp_path: Path
) -> None:
    found, because = seen(store, set_up=True)
    assert (found, (because or "").count("is missing")) == (0, len(NAMES))
    for declared in COLLECTIONS:  # half-way through being set up: incomplete, and never a finding
        assert seen(store, set_up=True)[0] == seen(store)[0] == 0
        client[database].create_collection(declared.name, **declared.options)
    assert "has no index" in (seen(store, set_up=True)[1] or "")
    list(Setup(client, mongo_uri, database, check=False).collections())
    assert seen(store, set_up=True) == seen(store) == (0, None)
    log = AnchoredLog(store, tmp_path)
    log.append(5)
    log.audit_all("full")
    assert report_of(store, "full", set_up=True) is None


OTHER: list[Document] = [
    {"partialFilterExpression": {"seq": {"$lt": 3}}},
    {"sparse": True},
    {"hidden": True},
    {"collation": {"locale": "de"}},
]


@each("name, index", [(declared.name, index) for declared in COLLECTIONS for index in declared.indexes])
@each("options", OTHER)
def test_an_index_made_again_otherwise_is_a_mismatch(
    used: MongoStore, name: str, index: Index, options: Document
) -> None:
    held = database_of(used)[name]
    held.drop_index(index.name)
    held.create_index(index.keys, name=index.name, unique=index.unique, **options)
    found = seen(used)
    held.drop_index(index.name)
    held.create_index(index.keys, unique=index.unique)
    assert found == (1, None)


@each("index", EVENTS)
def test_so_is_one_that_is_unique_and_should_not_be_or_the_other_way_round(used: MongoStore, index: Index) -> None:
    events = operations_of(used).events
    events.drop_index(index.name)
    events.create_index(index.keys, unique=not index.unique)
    found = seen(used)
    events.drop_index(index.name)
    events.create_index(index.keys, unique=index.unique)
    assert found == (1, None)


@each("index", EVENTS)
def test_a_dropped_index_and_one_on_other_fields_and_a_second_one_are_told(used: MongoStore, index: Index) -> None:
    events = operations_of(used).events
    events.drop_index(index.name)
    assert seen(used) == (0, f"events has no index {index.name}; see make db-setup CHECK=1")
    for keys in (
        [("$**", 1)],
        [*reversed(index.keys)],
        [*index.keys[:-1], (index.fields[-1], -1)],
        [("seq", "hashed")],
    ):
        events.create_index(keys, name=index.name)
        assert seen(used) == (1, None), keys
        events.drop_index(index.name)
    events.create_index(index.keys, unique=index.unique)
    events.create_index(index.keys, name="second", partialFilterExpression={"seq": {"$lt": 3}})
    assert seen(used) == (1, None)
    events.drop_index("second")
    assert seen(used) == (0, None)


@each("name", NAMES)
def test_an_index_of_an_operators_own_is_none_of_ours_unless_it_refuses_or_removes_rows(
    used: MongoStore, name: str
) -> None:
    held = database_of(used)[name]
    for options, told in (
        ({}, False),
        ({"sparse": True}, False),
        ({"unique": True}, True),
        ({"expireAfterSeconds": 9**9}, True),
    ):
        held.create_index("of_their_own", name="own", **({"sparse": True} | options if told else options))
        found, because = seen(used)
        assert (found, because is not None and "own" in because) == (0, told)
        held.drop_index("own")


KINDS_OF_COLLECTION: list[Document] = [
    {"capped": True, "size": 1 << 20},
    {"collation": {"locale": "de"}},
    {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    {"timeseries": {"timeField": "time"}},
    {"viewOn": "elsewhere", "pipeline": []},
]


@pytest.mark.new_database
@each("name", NAMES)
@each("options", KINDS_OF_COLLECTION)
def test_another_kind_of_collection_is_a_mismatch(
    client: MongoClient[Document], database: str, name: str, options: Document
) -> None:
    client[database].create_collection(name, **options)
    assert seen(open_log(client, database, ORIGIN))[0] == 1
    client[database].drop_collection(name)


@each("name", NAMES)
def test_a_validator_that_differs_or_is_missing_makes_the_audit_incomplete_where_there_must_be_one(
    client: MongoClient[Document], mongo_uri: str, database: str, name: str
) -> None:
    store = open_log(client, database, ORIGIN)
    list(Setup(client, mongo_uri, database, check=False).collections())
    client[database].command("collMod", name, validator={"never": True})
    wanted = f"the collection {name} has another validator than is declared; see make db-setup CHECK=1"
    assert seen(store) == seen(store, set_up=True) == (0, wanted)
    client[database].command("collMod", name, validator={})
    wanted = f"the collection {name} has no validator; see make db-setup CHECK=1"
    assert seen(store) == seen(store, set_up=True) == (0, wanted)
    for other in NAMES:
        client[database].command("collMod", other, validator={}, validationLevel="strict")
    assert seen(store) == (0, None)
    assert (seen(store, set_up=True)[1] or "").count("no validator") == len(NAMES)


def test_an_audit_whose_user_may_not_list_says_so(secured_log: SecuredLog) -> None:
    audit = next(role for role in ROLES if role.name == "eventlog-audit")
    older = [
        {"resource": {"db": secured_log.database, "collection": name}, "actions": ["find", "insert", "update"]}
        for name in audit.actions
        if name
    ]
    with secured_log.store("audit") as store:
        assert seen(store, set_up=True) == (0, None)
    with secured_log.mongo.client() as client:
        client[secured_log.database].command("updateRole", audit.name, privileges=older)
    with secured_log.store("audit") as store:
        found, because = seen(store, set_up=True)
        assert (found, "may not list" in (because or "")) == (0, True)
    secured_log.set_up()


@pytest.mark.replica_set  # the shard key's index is dropped
def test_the_database_audit_reports_what_it_finds_and_keeps_no_chain_from_being_audited(
    store: MongoStore, tmp_path: Path
) -> None:
    log = AnchoredLog(store, tmp_path)
    log.append(3)
    log.audit_all()
    events = operations_of(store).events
    events.drop_index("chain_1_seq_1")
    events.create_index([("chain", 1), ("seq", 1)], name="chain_1_seq_1", unique=True, sparse=True)
    events.insert_one({"_id": "planted", "chain": 5})
    for mode in ("incremental", "full"):
        reports = log.audit_all(mode)
        assert (reports[""].status, kinds(reports[""])) == (
            "tampered",
            [("schema_mismatch", None), ("unexpected", None)],
        )
        assert reports["main"].status == "intact"
    events.delete_one({"_id": "planted"})
    events.drop_index("chain_1_seq_1")
    reports = log.audit_all()
    assert (reports[""].status, reports["main"].status) == ("incomplete", "intact")
    assert "chain_1_seq_1" in (reports[""].incomplete_because or "")
