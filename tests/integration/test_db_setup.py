"""Setting a database up: everything once, then nothing; what differs is told and put right, and nothing is dropped."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from admin.setup import IN_ORDER, SetupResult
from eventlog.store.mongo.store import connect
from local.mongod.embedded import EmbeddedMongo
from local.mongod.secured import SecuredMongo
from tests.support.secured import PASSWORDS, SecuredLog

Lines = list[tuple[str, str, str]]


@pytest.fixture
def log(secured: SecuredMongo) -> SecuredLog:
    """A database that was not set up."""
    return SecuredLog(secured)


def lines(outcomes: list[SetupResult]) -> Lines:
    return [(found.kind, found.name, found.state) for found in outcomes]


def others(outcomes: list[SetupResult]) -> list[tuple[str, str, str, str]]:
    """What is not as declared, but for shard keys, which do not apply here."""
    return [
        (found.kind, found.name, found.state, found.detail)
        for found in outcomes
        if found.state != "as declared" and found.kind != "shard key"
    ]


def command(log: SecuredLog, name: str, value: Any, **options: Any) -> None:
    with log.mongo.client() as client:
        client[log.database].command(name, value, **options)


def test_the_first_time_makes_everything(log: SecuredLog) -> None:
    found = log.set_up()
    assert {outcome.state for outcome in found if outcome.kind != "shard key"} == {"created"}
    kinds = [outcome.kind for outcome in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "collection": 9,
        "index": 11,
        "shard key": 3,
        "role": 4,
        "user": 4,
    }


def test_the_second_time_finds_nothing_that_differs(log: SecuredLog) -> None:
    log.set_up()
    assert others(log.set_up()) == []
    assert others(log.set_up(check=True)) == []


def test_a_check_changes_nothing(log: SecuredLog) -> None:
    found = log.set_up(check=True)
    assert {outcome.state for outcome in found if outcome.kind != "shard key"} == {"missing"}
    with log.mongo.client() as client:
        assert client[log.database].list_collection_names() == []
    assert lines(log.set_up(check=True)) == lines(found)


def test_shard_keys_do_not_apply_to_a_replica_set(log: SecuredLog) -> None:
    found = [(o.name, o.state, o.detail) for o in log.set_up(check=True) if o.kind == "shard key"]
    why = "does not apply: this is no sharded cluster"
    assert found == [(name, "skipped", why) for name in ("events", "sequences", "bodies")]


def test_a_database_that_is_in_use_gets_its_validators(log: SecuredLog) -> None:
    command(log, "create", "events")
    missing = "validator is missing; validationLevel is another"
    assert ("collection", "events", "differs", missing) in others(log.set_up(check=True))
    assert ("collection", "events", "changed", missing) in others(log.set_up())
    assert others(log.set_up()) == []


def test_a_validator_that_was_switched_off_is_switched_on(log: SecuredLog) -> None:
    log.set_up()
    command(log, "collMod", "sequences", validationLevel="off")
    assert others(log.set_up()) == [("collection", "sequences", "changed", "validationLevel is another")]
    assert others(log.set_up()) == []


def test_a_role_that_was_widened_is_narrowed(log: SecuredLog) -> None:
    log.set_up()
    more = [{"resource": {"db": log.database, "collection": "events"}, "actions": ["remove", "update"]}]
    command(log, "grantPrivilegesToRole", "eventlog-ingest", privileges=more)
    command(log, "grantRolesToRole", "eventlog-query", roles=["dbOwner"])
    told = [
        ("role", "eventlog-ingest", "differs", "may also remove events; may also update events"),
        ("role", "eventlog-query", "differs", "inherits dbOwner"),
    ]
    assert others(log.set_up(check=True)) == told
    assert {state for *_, state, _ in others(log.set_up())} == {"changed"}
    assert others(log.set_up()) == []


def test_a_role_that_lacks_something_gets_it(log: SecuredLog) -> None:
    log.set_up()
    less = [{"resource": {"db": log.database, "collection": "audits"}, "actions": ["update"]}]
    command(log, "revokePrivilegesFromRole", "eventlog-audit", privileges=less)
    assert others(log.set_up()) == [("role", "eventlog-audit", "changed", "may not update audits")]


def test_a_user_with_more_roles_is_left_its_own(log: SecuredLog) -> None:
    log.set_up()
    command(log, "grantRolesToUser", "eventlog-ingest", roles=["dbOwner"])
    assert others(log.set_up(passwords={})) == [("user", "eventlog-ingest", "changed", "has other roles")]


def test_a_new_password_replaces_the_old_one(log: SecuredLog) -> None:
    log.set_up()
    new = PASSWORDS | {"eventlog-query": "another password, as long as it must be"}
    told = ("user", "eventlog-query", "differs", "has another password")
    assert others(log.set_up(check=True, passwords=new)) == [told]
    assert [state for *_, state, _ in others(log.set_up(passwords=new))] == ["changed"]
    with connect(log.uri("query")) as client, pytest.raises(OperationFailure, match="Authentication failed"):
        client[log.database]["events"].find_one()
    assert others(log.set_up(passwords=new)) == []


def test_users_are_made_of_those_with_a_password_only(log: SecuredLog) -> None:
    found = [o for o in log.set_up(passwords={"eventlog-query": PASSWORDS["eventlog-query"]}) if o.kind == "user"]
    assert [outcome.state for outcome in found] == ["skipped", "created", "skipped", "skipped"]


@pytest.mark.parametrize(
    ("options", "state"), [({"unique": True}, "differs"), ({"expireAfterSeconds": 1}, "differs"), ({}, "extra")]
)
def test_an_index_of_someone_elses_is_named_and_left_alone(
    log: SecuredLog, options: dict[str, Any], state: str
) -> None:
    log.set_up()
    with log.mongo.client() as client:
        client[log.database]["events"].create_index("received_at", **options)
    (found,) = others(log.set_up())
    assert found[:3] == ("index", "events received_at_1", state)
    assert "left alone" in found[3]


def test_an_index_that_is_not_unique_is_told_and_not_dropped(log: SecuredLog) -> None:
    with log.mongo.client() as client:
        client[log.database]["events"].create_index([("chain", 1), ("seq", 1)])
    (found,) = [line for line in others(log.set_up()) if line[2] == "differs"]
    assert found[:2] == ("index", "events (chain, seq)")
    assert "drop it in a quiet hour" in found[3]


def test_an_index_that_the_data_contradict_is_refused_and_the_rest_is_made(log: SecuredLog) -> None:
    with log.mongo.client() as client:
        client[log.database]["events"].insert_many([{"chain": "main", "seq": 0}, {"chain": "main", "seq": 0}])
    found = log.set_up()
    refused = [outcome for outcome in found if outcome.state not in IN_ORDER]
    assert [(o.name, o.detail) for o in refused] == [("events (chain, seq)", "by MongoDB: DuplicateKey")]
    assert sum(outcome.state == "created" for outcome in found) == 8 + 10 + 8


def test_a_mongod_with_access_control_keeps_it_after_a_restart(tmp_path: Path) -> None:
    first = SecuredMongo(tmp_path, "its password")
    with first:
        pass
    with SecuredMongo(tmp_path, "its password") as again:
        open_to_all = EmbeddedMongo.uri.fget(again)  # type: ignore[attr-defined]
        with connect(open_to_all) as client, pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("listDatabases")
        with again.client() as client:
            assert client.admin.command("listDatabases")["ok"]
