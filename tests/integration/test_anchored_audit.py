"""A full audit holds the chain against every anchor ever made, alike in one go, in steps, resumed, and with workers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bson import Int64
from pymongo import MongoClient

from eventlog.audit import scan
from eventlog.audit.report import AuditReport
from eventlog.audit.workers import Workers
from eventlog.formats import hashing
from eventlog.formats.event import ChainState
from eventlog.store.mongo.store import MongoStore, open_log, operations_of
from eventlog.stored.sequences import settled_fields
from tests.integration.test_audit import essence
from tests.integration.test_audit_workers import Watched
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog, kinds
from tests.support.auditors import check_anchors
from tests.support.factories import draft

STEP = 16
SIZES = [1, 2, 15, 16, 17, 31, 32, 32, 32, 33, 48, 48, 63, 64, 65, 80, 100, 100]
"""Of the anchors: at steps' ends, beside them, several in one step, several of one size."""
Document = dict[str, Any]
Way = Callable[[AnchoredLog], AuditReport]


def build(log: AnchoredLog) -> None:
    """Grow the log by every size, with an anchor at each."""
    size = 0
    for wanted in SIZES:
        log.ahead += HOUR * 2
        if wanted > size:
            log.append(wanted - size)
            size = wanted
        assert log.audit().anchored_size == wanted
    assert check_anchors(log) == SIZES


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "STEP", STEP)


@pytest.fixture(scope="module")
def built(client: MongoClient[Document], tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnchoredLog]:
    name = f"test_{uuid4().hex[:12]}"
    log = AnchoredLog(open_log(client, name, ORIGIN), tmp_path_factory.mktemp("anchored"))
    build(log)
    yield log
    client.drop_database(name)


@pytest.fixture
def copied(built: AnchoredLog, store: MongoStore) -> AnchoredLog:
    """The log in a database of its own; its anchors are read only. No report says what earlier audits saw."""
    for name in ("events", "sequences", "checkpoints"):
        getattr(operations_of(store), name).insert_many(list(getattr(operations_of(built.store), name).find()))
    return AnchoredLog(store, built.folder, signers=built.signers, ahead=built.ahead)


def in_one_go(log: AnchoredLog) -> AuditReport:
    return log.audit("full")


def resumed_at_every_step(log: AnchoredLog) -> AuditReport:
    """Each step by another process."""
    auditor = log.auditor()
    report = auditor.run(auditor.start("main", "full"), 0)
    while report.status == "running":
        for resumed in log.auditor().resume(1e-6):  # which may be over before it has begun
            report = resumed
    return report


def in_steps(log: AnchoredLog) -> AuditReport:
    auditor = log.auditor()
    run = auditor.start("main", "full")
    while run.report.status == "running":
        auditor.run(run, 0)
    return run.report


def rewrite(log: AnchoredLog, start: int) -> None:
    """Put other events in place of those from ``start`` on, with everything after them recomputed."""
    operations = operations_of(log.store)
    state = ChainState(0, hashing.genesis(ORIGIN, "main"))
    for event in operations.events.find({"chain": "main", "seq": {"$lt": start}}, sort=[("seq", 1)]):
        state.append(event["content_hash"])
    operations.events.delete_many({"chain": "main", "seq": {"$gte": start}})
    settled = settled_fields(state) | {"size": Int64(start)}
    operations.sequences.update_one({"_id": "main"}, {"$set": {"size": Int64(start), "settled": settled}})
    log.store.append("main", [draft(payload={"forged": number}) for number in range(SIZES[-1] - start)])
    log.store.settle("main")


def first_after(start: int) -> int:
    return next(size for size in SIZES if size > start)


WAYS: list[Way] = [in_one_go, in_steps, resumed_at_every_step]
STARTS = [0, 1, 2, 14, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 79, 80, 99]


@pytest.mark.parametrize("way", WAYS)
def test_an_honest_log_is_intact_and_gets_no_new_anchor(copied: AnchoredLog, way: Way) -> None:
    report = way(copied)
    assert (report.status, report.findings, report.events_checked) == ("intact", (), SIZES[-1])
    assert report.anchored_size == SIZES[-1]
    assert check_anchors(copied) == SIZES


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("start", STARTS)
def test_a_history_rewritten_from_any_place_on_is_found_at_the_first_anchor_after_it(
    copied: AnchoredLog, way: Way, start: int
) -> None:
    rewrite(copied, start)
    report = way(copied)
    assert (report.status, kinds(report)) == ("tampered", [("rewritten", first_after(start) - 1)])


@pytest.mark.parametrize("start", [0, 16, 31, 33, 64, 81, 99])
def test_with_workers_the_report_is_the_same(
    copied: AnchoredLog, monkeypatch: pytest.MonkeyPatch, mongo_uri: str, database: str, start: int
) -> None:
    rewrite(copied, start)
    alone = essence(copied.store, copied.audit("full"))
    operations_of(copied.store).audits.delete_many({})
    watched = Watched(monkeypatch)
    copied.workers = Workers(mongo_uri, database, count=2, least=0)
    report = copied.audit("full")
    assert kinds(report) == [("rewritten", first_after(start) - 1)]
    assert essence(copied.store, report) == alone
    assert watched.segments > 3
    assert watched.all_gone()


def test_with_workers_an_honest_log_is_intact(
    copied: AnchoredLog, monkeypatch: pytest.MonkeyPatch, mongo_uri: str, database: str
) -> None:
    watched = Watched(monkeypatch)
    copied.workers = Workers(mongo_uri, database, count=2, least=0)
    report = copied.audit("full")
    assert (report.status, report.findings) == ("intact", ())
    assert watched.segments == 7


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_between_two_anchors_is_one_finding_at_the_event(copied: AnchoredLog, way: Way) -> None:
    operations_of(copied.store).events.update_one({"chain": "main", "seq": 40}, {"$set": {"principal": "forged"}})
    assert kinds(way(copied)) == [("content_mismatch", 40)]


@pytest.mark.parametrize("way", WAYS)
def test_a_lost_event_hides_no_other_finding(copied: AnchoredLog, way: Way) -> None:
    operations_of(copied.store).events.delete_one({"chain": "main", "seq": 20})
    operations_of(copied.store).events.update_one({"chain": "main", "seq": 70}, {"$set": {"source_id": "forged"}})
    assert kinds(way(copied)) == [("missing", 20), ("content_mismatch", 70)]


@pytest.mark.parametrize("number", [1, 4, 8, 9, 12, 17, 18])
@pytest.mark.parametrize("way", WAYS)
def test_each_anchor_that_is_gone_or_altered_is_found(
    built: AnchoredLog, copied: AnchoredLog, tmp_path: Path, way: Way, number: int
) -> None:
    chain = tmp_path / "anchors" / "main"
    chain.mkdir(parents=True)
    for path in (built.folder / "anchors" / "main").iterdir():
        (chain / path.name).write_bytes(path.read_bytes())
    moved = AnchoredLog(copied.store, tmp_path, signers=built.signers, ahead=built.ahead)
    victim = chain / f"{number:012}.note"
    data = victim.read_bytes()
    victim.unlink()
    assert kinds(way(moved)) == [("checkpoint_missing", None)]
    victim.write_bytes(data.replace(b"example", b"exemple", 1))
    assert kinds(way(moved)) == [("checkpoint_invalid", None)]
