"""Each function does all its work as its own database user."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bson import Int64
from pymongo.errors import WriteError
from starlette.testclient import TestClient

from eventlog.anchors.registry import Registry
from eventlog.audit.watch import Watched, Watcher
from eventlog.audit.workers import Workers
from eventlog.formats.name_filter import NameFilter
from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog.store.interface import Query
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import open_log, operations_of
from eventlog.store.mongo.watch import MongoWatch
from functions.chain_audit.app import routers as audit_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.support.anchored import AnchoredLog, new_key
from tests.support.factories import draft
from tests.support.governed import GovernedLog
from tests.support.secured import ORIGIN, SecuredLog
from tests.support.witness_servers import AskingLog, policy_of, witness_of
from tests.support.witnesses import ed25519

ROUTERS = {"ingest": ingest_routers, "query": query_routers, "audit": audit_routers}
EVENT = {"event_type": "user.login", "timestamp": "2026-05-01T10:00:00Z", "source_id": "app", "payload": {"n": 1}}


@contextmanager
def serving(log: SecuredLog, function: str, folder: Path | None = None) -> Iterator[TestClient]:
    """A function's own routes, with its own user."""
    settings = Settings(mongo_uri=log.uri(function), mongo_database=log.database, EVENTLOG_ORIGIN=ORIGIN)
    if folder is not None:
        new_key(folder / "key.pem")
        settings.anchors, settings.signing_keys = str(folder / "anchors"), str(folder / "key.pem")
    app = create_app(*ROUTERS[function], title=function, settings=settings, anonymous=True)
    try:
        with TestClient(app) as client:
            yield client
    finally:
        app.state.connection.close()


@pytest.fixture
def log(secured_log: SecuredLog) -> SecuredLog:
    """An empty database of a test's own, which was set up."""
    fresh = SecuredLog(secured_log.mongo)
    fresh.set_up()
    return fresh


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
        assert operations_of(store).push("main", [entry], None) is not None
        image = operations_of(store).read_sequence("main")
        assert image is not None
        with operations_of(store).session() as session:
            operations_of(store).insert(list(image.events()), session)
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
    with log.mongo.client() as administrator:
        open_log(administrator, log.database, ORIGIN).make_search_indexes()
    with log.store("query") as reader:  # counts what each of these has, and walks the rarest
        wanted = Query(chain="main", keys=frozenset({"user:a", "ip:b"}), event_types=NameFilter.of(["user.*"]))
        assert (reader.page(wanted).events, reader.page(wanted).size) == ([], 20)


def test_the_audit_verifies_anchors_and_keeps_its_reports(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        anchored = AnchoredLog(store, tmp_path)
        ingest.append("main", [draft() for _ in range(30)])
        full = anchored.audit("full")
        assert (full.status, full.anchored_size) == ("intact", 30)
        for _ in range(3):
            ingest.append("main", [draft()])
        found = anchored.audit_all()
        assert {name: report.status for name, report in found.items()} == {
            "main": "intact",
            "eventlog.registry": "intact",
        }
        assert found["main"].anchored_size == 33
        assert operations_of(store).checkpoints.count_documents({"chain": "main"}) == 2
        for mode in ("full", "incremental"):  # of which the first has no time for all chains, and the second goes on
            list(anchored.auditor().each("full" if mode == "full" else "incremental", 0 if mode == "full" else 60))
        assert anchored.auditor().full_age() is not None


def test_the_audit_watches_the_database(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft() for _ in range(3)])
        watcher = Watcher(
            MongoWatch(store), AuditStore(store), "log", anchoring=AnchoredLog(store, tmp_path).anchoring()
        )
        assert watcher.drain(60) == Watched([], 0.0)
        with log.mongo.client() as client:
            client[log.database].events.update_one({}, {"$set": {"source_id": "elsewhere"}})
        (report,) = watcher.drain(60).reports
        assert (report.chain, report.status) == ("main", "tampered")


def test_the_audit_settles_what_a_dead_writer_left(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft()])
        assert operations_of(ingest).push("main", [draft().entry for _ in range(5)], None) is not None
        report = AnchoredLog(store, tmp_path).audit("incremental")
        assert (report.status, report.to_seq, report.anchored_size) == ("intact", 6, 6)


def test_the_audit_resumes_with_workers_over_http(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, serving(log, "audit", tmp_path) as api:
        ingest.append("main", [draft() for _ in range(50)])
        assert api.post("/api/v1/audits", json={"mode": "full"}).is_success
        audit = api.get("/api/v1/audits").json()["audits"][0]
        assert api.get(f"/api/v1/audits/{audit['audit_id']}").json()["status"] == "intact"


def test_the_audits_user_keeps_what_witnesses_say_and_the_query_user_serves_it(log: SecuredLog, tmp_path: Path) -> None:
    key = ed25519("witness.example/w1", 1)
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft()])
        asking = AskingLog(AnchoredLog(store, tmp_path), ("main",))
        with witness_of(tmp_path / "witness", key, asking.key()) as server:
            asking.policy.write_bytes(policy_of(("w0", key, server.url)))
            assert asking.round().sizes == {"main": 1}
    with serving(log, "query") as api:
        assert "witness.example/w1" in api.get("/api/v1/chains/main/checkpoint").text
    with log.mongo.client() as client:
        database = client[log.database]
        for collection, odd in (
            ("cosignatures", {"number": 1}),
            ("cosignatures", {"line": ""}),
            ("cosignatures", {"more": 1}),
            ("audits", {"state": "fine"}),
            ("audits", {"since": None}),
            ("audits", {"evidence": 1}),
        ):
            query = {"_id": {"$regex": "^witness/"}} if collection == "audits" else {}
            with pytest.raises(WriteError, match="failed validation"):
                database[collection].update_one(query, {"$set": odd})


def test_the_audits_worker_processes_read_as_its_user(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft() for _ in range(300)])
        workers = Workers(log.uri("audit"), log.database)
        assert AnchoredLog(store, tmp_path, workers=workers).audit("full").status == "intact"


def test_a_restore_can_be_declared_as_the_audits_user(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as store:
        ingest.append("main", [draft() for _ in range(8)])
        anchored = AnchoredLog(store, tmp_path)
        anchored.audit()
        with log.mongo.client() as client:  # a backup that held nothing is restored
            for name in ("events", "sequences", "audits", "checkpoints"):
                client[log.database][name].delete_many({"chain": "main"} if name != "sequences" else {"_id": "main"})
        ingest.append("main", [draft() for _ in range(3)])
        assert anchored.restore().status == "intact"


def test_a_strike_off_can_be_declared_as_the_audits_user(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("audit") as store:
        Registry(store, lambda: 1).add("ghost", "example.com/log")
        anchored = AnchoredLog(store, tmp_path)
        assert anchored.audit_all()["ghost"].status == "tampered"
        assert anchored.strike_off().status == "intact"
        assert "ghost" not in anchored.audit_all()


def test_the_erasing_user_orders_and_carries_out_erasures_and_holds(log: SecuredLog, tmp_path: Path) -> None:
    with log.store("ingest") as ingest, log.store("audit") as audit, log.store("erase") as store:
        of_audit = GovernedLog.make(AnchoredLog(audit, tmp_path), tmp_path)
        governed = GovernedLog(AnchoredLog(store, tmp_path, signers=of_audit.log.signers), of_audit.key)
        GovernedLog(AnchoredLog(ingest, tmp_path), of_audit.key).append("a", "b-large", "c")
        held = governed.ordering().hold(governed.asking(), (2, 3), None)
        governed.ordering().release(governed.asking(), held.order.request)
        many = [draft(payload={"n": number}) for number in range(300)]  # so many that their order is stored apart
        ingest.append("main", many)
        governed.erase("a", "b-large", *(each.entry.event_id for each in many))
        of_audit.log.audit()
        assert governed.erasing().run(60).emptied == 302
        assert governed.shown.erasures("main", 9, None)[0][0].state == "erased"
        assert list(governed.shown.waiting("main")) == []
    with log.store("audit") as audit:
        assert len(GovernedLog(AnchoredLog(audit, tmp_path), of_audit.key).erased()) == 302


def test_an_update_of_a_sequence_document_is_what_ingest_may_do(log: SecuredLog) -> None:
    """Why audits and anchors are needed: this can't be narrowed to a push."""
    with log.store("ingest") as store:
        store.append("main", [draft()])
        found = operations_of(store).sequences.update_one({"_id": "main"}, {"$set": {"size": Int64(7)}})
        assert found.modified_count == 1
