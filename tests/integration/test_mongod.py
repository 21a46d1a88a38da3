"""The embedded MongoDB: its data survives whatever happens to the process and to its port."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import NotPrimaryError

from local.mongod.embedded import EmbeddedMongo, LocalError, replica_set_uri, start_replica_set, wait_until
from tests.support.ports import own_port

PARENT = """
import sys
from pathlib import Path
from local.mongod.embedded import EmbeddedMongo
mongo = EmbeddedMongo(Path(sys.argv[1]))
mongo.start()
print(mongo.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[EmbeddedMongo]:
    started = EmbeddedMongo(tmp_path / "mongo")
    started.start()
    yield started
    started.kill()


def put(mongo: EmbeddedMongo, name: str) -> None:
    with mongo.client() as client:
        client.get_database("test").get_collection("things").insert_one({"_id": name})


def names(mongo: EmbeddedMongo) -> list[Any]:
    with mongo.client() as client:
        return sorted(thing["_id"] for thing in client.test.things.find())


def test_it_is_a_replica_set_that_takes_majority_writes(mongo: EmbeddedMongo) -> None:
    with mongo.client() as client:
        assert client.admin.command("hello")["setName"] == "rs0"
        with client.start_session() as session, session.start_transaction():
            client.test.things.insert_one({"_id": "in a transaction"}, session=session)
    assert names(mongo) == ["in a transaction"]


def test_its_uri_and_the_one_of_the_set_both_work(mongo: EmbeddedMongo) -> None:
    for uri in (mongo.uri, replica_set_uri([mongo])):
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=5000) as client:
            assert client.admin.command("hello")["isWritablePrimary"]


def test_a_clean_restart_keeps_the_data_and_the_port(mongo: EmbeddedMongo) -> None:
    put(mongo, "first")
    port = mongo.port
    mongo.stop()
    assert not mongo.is_running()
    mongo.start()
    assert (mongo.port, names(mongo)) == (port, ["first"])


def test_a_kill_loses_no_acknowledged_write(mongo: EmbeddedMongo) -> None:
    put(mongo, "acknowledged")
    mongo.kill()
    assert not mongo.is_running()
    mongo.start()
    assert names(mongo) == ["acknowledged"]


def test_the_data_moves_along_when_the_old_port_is_taken(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    put(mongo, "moved")
    mongo.stop()
    with EmbeddedMongo(tmp_path / "squatter", port=mongo.port) as squatter:
        mongo.start()
        assert mongo.port != squatter.port
        put(mongo, "new")
        assert names(mongo) == ["moved", "new"]
        assert names(squatter) == []


def test_a_data_directory_in_use_is_named_in_one_sentence(mongo: EmbeddedMongo) -> None:
    with pytest.raises(LocalError, match=r"^The data in \S+ is in use by another mongod; stop that one first\.$"):
        EmbeddedMongo(mongo.data_dir).start()
    put(mongo, "still running")


def test_a_taken_port_that_was_asked_for_is_named(mongo: EmbeddedMongo, tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=f"can't use port {mongo.port}"):
        EmbeddedMongo(tmp_path / "other", port=mongo.port).start()


def test_broken_data_is_reported_with_the_reason_and_the_log(tmp_path: Path) -> None:
    broken = EmbeddedMongo(tmp_path)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "storage.bson").write_bytes(b"no BSON")
    with pytest.raises(LocalError, match=r"^mongod did not start: .+ \(its log is .+mongod\.log\)\.$"):
        broken.start()


def test_it_starts_on_a_port_of_ones_choice(tmp_path: Path) -> None:
    port = own_port()
    with EmbeddedMongo(tmp_path, port=port) as mongo:
        assert mongo.uri == f"mongodb://127.0.0.1:{port}/?directConnection=true"


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a signal at the parent's death")
def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    mongo = EmbeddedMongo(tmp_path, port=port)
    wait_until("the orphan to end", lambda: can_start(mongo))
    mongo.stop()


def can_start(mongo: EmbeddedMongo) -> bool:
    try:
        mongo.start()
    except LocalError:
        return False
    return True


def test_a_replica_set_fails_over_and_takes_its_killed_primary_back(tmp_path: Path) -> None:
    nodes = start_replica_set([tmp_path / name for name in "abc"], priorities=[2, 1, 1])
    try:
        with MongoClient[dict[str, Any]](replica_set_uri(nodes), w="majority") as client:
            client.test.things.insert_one({"_id": "before"})
            nodes[0].kill()
            client.test.things.insert_one({"_id": "after"})
            nodes[0].start()
            with nodes[0].client() as direct:
                wait_until("the old primary to catch up", lambda: len(secondary_names(direct)) == 2)
    finally:
        for node in nodes:
            node.kill()


def secondary_names(client: MongoClient[dict[str, Any]]) -> list[Any]:
    try:
        return [thing["_id"] for thing in client.test.things.find()]
    except NotPrimaryError:  # it has only just started, and answers no reads yet
        return []
