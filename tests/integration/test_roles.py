"""Each function does all its work as its own database user, and that user may do nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bson import Int64
from fastapi import APIRouter
from pymongo import IndexModel, InsertOne, MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import OperationFailure
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.service.audit_workers import Workers
from eventlog.settings import Settings
from functions.chain_audit.app import router as audit_router
from functions.ingest.app import router as ingest_router
from functions.query.app import router as query_router
from tests.anchored import AnchoredLog, new_key
from tests.factories import draft
from tests.secured import ORIGIN, SecuredLog

Db = Database[dict[str, Any]]
ROUTERS = {"ingest": ingest_router, "query": query_router, "audit": audit_router}
NOT_AUTHORIZED = 13
EVENT = {"event_type": "user.login", "timestamp": "2026-05-01T10:00:00Z", "source_id": "app", "payload": {"n": 1}}


@contextmanager
def serving(log: SecuredLog, function: str, folder: Path | None = None) -> Iterator[TestClient]:
    """A function's own routes, with its own user."""
    router: APIRouter = ROUTERS[function]
    settings = Settings(mongo_uri=log.uri(function), mongo_database=log.database, EVENTLOG_ORIGIN=ORIGIN)
    if folder is not None:
        new_key(folder / "key.pem")
        settings.anchors, settings.signing_keys = str(folder / "anchors"), str(folder / "key.pem")
    app = create_app(router, title=function, settings=settings)
    try:
        with TestClient(app) as client:
            yield client
    finally:
        app.state.resources.close()


@pytest.fixture
def log(secured_log: SecuredLog) -> SecuredLog:
    """An empty database of a test's own, which was set up."""
    fresh = SecuredLog(secured_log.mongo)
    fresh.set_up()
    return fresh


@pytest.fixture(scope="module")
def full(secured_log: SecuredLog) -> SecuredLog:
    """One that holds something in each collection; none of the tests below can change it."""
    with secured_log.mongo.client() as client:
        for name in ("events", "sequences", "audits", "checkpoints"):
            held = client[secured_log.database][name]
            held.insert_one({"_id": "there", "n": 1}, bypass_document_validation=True)
    return secured_log


def test_ingest_appends_one_event_a_batch_and_chosen_ids_and_replays(log: SecuredLog) -> None:
    with serving(log, "ingest") as api:
        assert api.post("/api/v1/events", json=EVENT).status_code == 201
        batch = [EVENT | {"event_id": f"e{n}"} for n in range(200)]
        assert api.post("/api/v1/events/batch", json=batch).status_code == 201
        again = api.post("/api/v1/events", json=EVENT | {"event_id": "e7"})
        assert (again.status_code, again.json()["seq"]) == (200, 8)
        assert api.post("/api/v1/events", json=EVENT | {"event_id": "e7", "payload": {}}).status_code == 409


def test_ingest_settles_what_it_and_others_appended(log: SecuredLog) -> None:
    with log.store("ingest") as store:
        for _ in range(120):
            store.append("main", [draft()])
        assert store.settle("main") == 120
        found = store.chain("main")
        assert found is not None
        assert (found.settled_size, found.state.size) == (120, 120)


def test_ingest_settles_entries_that_stand_in_events_already(log: SecuredLog) -> None:
    with log.store("ingest") as store:
        store.append("main", [draft()])
        entry = draft().entry
        assert store.operations.push("main", [entry], None) is not None
        image = store.operations.read_sequence("main")
        assert image is not None
        with store.operations.session() as session:
            store.operations.insert(list(image.events()), session)
        assert store.settle("main") == 2


def test_query_reads_pages_single_events_chains_proofs_tiles_and_exports(log: SecuredLog, tmp_path: Path) -> None:
    with serving(log, "ingest") as ingest, serving(log, "audit", tmp_path) as audit:
        events = [EVENT | {"event_id": f"e{n}"} for n in range(20)]
        assert ingest.post("/api/v1/events/batch", json=events).status_code == 201
        assert audit.post("/api/v1/audits", json={"chain": "main"}).json()["status"] == "intact"
    chain = "/api/v1/chains/main"
    with serving(log, "query") as api:
        page = api.get("/api/v1/events", params={"chain": "main", "limit": 7}).json()
        assert (len(page["events"]), page["settled_size"]) == (7, 20)
        assert api.get("/api/v1/events", params={"chain": "main", "cursor": page["next_cursor"]}).is_success
        paths = ["/api/v1/events/e3?chain=main", "/api/v1/chains", f"{chain}/root", f"{chain}/checkpoint"]
        paths += ["/api/v1/events/e3/proof?chain=main", f"{chain}/consistency?first=5&second=20", "/api/v1/health"]
        paths += [f"{chain}/tlog/checkpoint", f"{chain}/tlog/tile/0/000.p/20", f"{chain}/tlog/tile/entries/000.p/20"]
        paths += ["/api/v1/export?chain=main&from_seq=2&to_seq=9"]
        assert {path: api.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
        described = api.get(chain).json()
        assert described["last_checkpoint"]["size"] == 20
        assert described["last_audit"]["status"] == "intact"


def test_the_audit_verifies_anchors_and_keeps_its_reports(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        anchored = AnchoredLog(store, tmp_path)
        ingest.append("main", [draft() for _ in range(30)])
        full = anchored.audit("full")
        assert (full["status"], full["anchored_size"]) == ("intact", 30)
        for _ in range(3):
            ingest.append("main", [draft()])
        found = anchored.audit_all()
        assert {name: report["status"] for name, report in found.items()} == {
            "main": "intact",
            "eventlog.registry": "intact",
        }
        assert found["main"]["anchored_size"] == 33
        assert store.operations.checkpoints.count_documents({"chain": "main"}) == 2


def test_the_audit_settles_what_a_dead_writer_left(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft()])
        assert ingest.operations.push("main", [draft().entry for _ in range(5)], None) is not None
        report = AnchoredLog(store, tmp_path).audit("incremental")
        assert (report["status"], report["to_seq"], report["anchored_size"]) == ("intact", 6, 6)


def test_the_audit_resumes_with_workers_over_http(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, serving(log, "audit", tmp_path) as api:
        ingest.append("main", [draft() for _ in range(50)])
        assert api.post("/api/v1/audits", json={"mode": "full"}).is_success
        audit = api.get("/api/v1/audits").json()["audits"][0]
        assert api.get(f"/api/v1/audits/{audit['audit_id']}").json()["status"] == "intact"


def test_the_audits_worker_processes_read_as_its_user(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft() for _ in range(300)])
        workers = Workers(log.uri("audit"), log.database)
        assert AnchoredLog(store, tmp_path, workers=workers).audit("full")["status"] == "intact"


def test_a_restore_can_be_declared_as_the_audits_user(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft() for _ in range(8)])
        anchored = AnchoredLog(store, tmp_path)
        anchored.audit()
        with log.mongo.client() as client:  # a backup that held nothing is restored
            for name in ("events", "sequences", "audits", "checkpoints"):
                client[log.database][name].delete_many({"chain": "main"} if name != "sequences" else {"_id": "main"})
        ingest.append("main", [draft() for _ in range(3)])
        assert anchored.restore()["status"] == "intact"


def update(db: Db, name: str) -> object:
    return db[name].update_one({"_id": "there"}, {"$set": {"n": 2}})


def replace(db: Db, name: str) -> object:
    return db[name].find_one_and_replace({"_id": "there"}, {"n": 2})


def upsert(db: Db, name: str) -> object:
    return db[name].bulk_write([UpdateOne({"_id": uuid4().hex}, {"$set": {"n": 2}}, upsert=True)])


def delete(db: Db, name: str) -> object:
    return db[name].delete_one({"_id": "there"})


def take_out(db: Db, name: str) -> object:
    return db[name].find_one_and_delete({"_id": "there"})


def insert(db: Db, name: str) -> object:
    return db[name].insert_one({"_id": uuid4().hex})


def insert_unvalidated(db: Db, name: str) -> object:
    return db[name].bulk_write([InsertOne({"_id": uuid4().hex})], bypass_document_validation=True)


def find(db: Db, name: str) -> object:
    return db[name].find_one()


def count(db: Db, name: str) -> object:
    return db[name].count_documents({})


def drop(db: Db, name: str) -> object:
    return db.command("drop", name)


def drop_indexes(db: Db, name: str) -> object:
    return db.command("dropIndexes", name, index="*")


def create_index(db: Db, name: str) -> object:
    return db[name].create_indexes([IndexModel("n", expireAfterSeconds=1)])


def unvalidate(db: Db, name: str) -> object:
    return db.command("collMod", name, validationLevel="off")


def rename(db: Db, name: str) -> object:
    return db[name].rename(f"{name}_old")


def overwrite(db: Db, name: str) -> object:
    return list(db["sequences"].aggregate([{"$out": name}]))


def merge(db: Db, name: str) -> object:
    return list(db["sequences"].aggregate([{"$merge": {"into": name, "whenMatched": "replace"}}]))


def compact(db: Db, name: str) -> object:
    return db.command("convertToCapped", name, size=4096)


Act = Callable[[Db, str], object]
REMOVES: list[Act] = [delete, take_out, drop, drop_indexes, create_index, unvalidate, rename, overwrite, compact]
CHANGES: list[Act] = [update, replace, upsert, merge]
WRITES: list[Act] = [insert, *CHANGES, *REMOVES]
READS: list[Act] = [find, count]
COLLECTIONS = ("events", "sequences", "audits", "checkpoints")
FORBIDDEN: dict[tuple[str, str], list[Act]] = {
    ("ingest", "events"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("ingest", "sequences"): [insert_unvalidated, *REMOVES],
    ("ingest", "audits"): [*READS, *WRITES],
    ("ingest", "checkpoints"): [*READS, *WRITES],
    **{("query", name): WRITES for name in COLLECTIONS},
    ("audit", "events"): [insert_unvalidated, *CHANGES, *REMOVES],
    ("audit", "sequences"): [insert_unvalidated, *REMOVES],
    ("audit", "audits"): [insert_unvalidated, *REMOVES],
    ("audit", "checkpoints"): [insert_unvalidated, *CHANGES, *REMOVES],
    **{(function, "others"): [*READS, *WRITES] for function in ROUTERS},
}
CASES = [(*place, act) for place, acts in FORBIDDEN.items() for act in acts]


@pytest.fixture(scope="module")
def users(full: SecuredLog) -> Iterator[dict[str, MongoClient[dict[str, Any]]]]:
    clients = {name: MongoClient[dict[str, Any]](full.uri(name)) for name in ROUTERS}
    yield clients
    for client in clients.values():
        client.close()


@pytest.mark.parametrize(("function", "collection", "act"), CASES)
def test_the_user_is_refused(
    full: SecuredLog, users: dict[str, MongoClient[dict[str, Any]]], function: str, collection: str, act: Act
) -> None:
    with pytest.raises(OperationFailure) as raised:
        act(users[function][full.database], collection)
    assert raised.value.code == NOT_AUTHORIZED


@pytest.mark.parametrize("function", ROUTERS)
def test_the_user_can_neither_drop_the_database_nor_read_another_nor_make_users(
    full: SecuredLog, users: dict[str, MongoClient[dict[str, Any]]], function: str
) -> None:
    client = users[function]
    role = [{"role": "root", "db": "admin"}]
    acts: list[Callable[[], object]] = [
        lambda: client.drop_database(full.database),
        client["another"]["events"].find_one,
        client.local["oplog.rs"].find_one,
        lambda: client[full.database].command("createUser", "me", pwd="mine", roles=role),
        lambda: client[full.database].command("grantRolesToUser", f"eventlog-{function}", roles=role),
        lambda: client[full.database].command("updateUser", f"eventlog-{function}", pwd="another"),
    ]
    for act in acts:
        with pytest.raises(OperationFailure) as raised:
            act()
        assert raised.value.code == NOT_AUTHORIZED


def test_what_was_refused_changed_nothing(full: SecuredLog) -> None:
    with full.mongo.client() as client:
        for name in COLLECTIONS:
            assert list(client[full.database][name].find()) == [{"_id": "there", "n": 1}]


def test_nobody_without_a_password_gets_in(full: SecuredLog) -> None:
    uri = f"mongodb://{full.mongo.address}/?directConnection=true"
    with MongoClient[dict[str, Any]](uri) as client, pytest.raises(OperationFailure) as raised:
        client[full.database]["events"].find_one()
    assert raised.value.code == NOT_AUTHORIZED


def test_an_update_of_a_sequence_document_is_what_ingest_may_do(log: SecuredLog) -> None:
    """Why audits and anchors are needed: this can't be narrowed to a push."""
    with log.store("ingest") as store:
        store.append("main", [draft()])
        found = store.operations.sequences.update_one({"_id": "main"}, {"$set": {"size": Int64(7)}})
        assert found.modified_count == 1
