"""Audits with worker processes: the same reports, whatever happens to the workers, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bson import Int64

from eventlog.audit import scan, worker_pool
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.audit.run_documents import read_run
from eventlog.audit.worker_pool import RunningWorkers
from eventlog.audit.workers import Workers
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.verify.fast_path import Segment
from local.machine import wait_until
from tests.integration.test_audit import essence
from tests.support.factories import draft

ORIGIN = "example.com/log"
STEP = 16
SIZE = 8 * STEP + 5
Change = Callable[[Any], object]


class Watched:
    """Makes audits wait for their workers and counts what these do; ``before`` runs before a segment is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.segments = 0
        self.pids: list[int] = []
        self.before: Callable[[RunningWorkers, int], object] = lambda _pool, _start: None
        asked = RunningWorkers.segment
        self._patch = monkeypatch
        self._patch.setattr(worker_pool, "_ANSWER_SECONDS", 60.0)

        def segment(pool: RunningWorkers, start: int) -> Segment | None:
            self.pids += [worker._process.pid for worker in pool._workers.values()]
            while not all(worker.ready for worker in pool._workers.values()):
                pool._receive(1)
            self.before(pool, start)
            found = asked(pool, start)
            self.segments += found is not None
            return found

        monkeypatch.setattr(RunningWorkers, "segment", segment)

    def impatient(self) -> None:
        self._patch.setattr(worker_pool, "_ANSWER_SECONDS", 0.3)

    def all_gone(self) -> bool:
        return bool(self.pids) and not any(map(alive, self.pids))


def alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(scan, "STEP", STEP)
    return Watched(monkeypatch)


@pytest.fixture
def filled(store: MongoStore) -> MongoStore:
    store.append("main", [draft(f"e{number}", payload={"n": number}) for number in range(SIZE)])
    return store


def make(store: MongoStore, mongo_uri: str, database: str, count: int = 2) -> Auditor:
    return Auditor(store, AuditStore(store), ORIGIN, workers=Workers(mongo_uri, database, count=count, least=0))


def whole(auditor: Auditor) -> AuditReport:
    return auditor.run(auditor.start("main", "full"), 60)


def alone(store: MongoStore) -> dict[str, Any]:
    """The essence of the same audit without workers."""
    report = essence(store, whole(Auditor(store, AuditStore(store), ORIGIN)))
    operations_of(store).audits.delete_many({})
    return report


def test_an_honest_log_is_verified_by_workers(
    filled: MongoStore, mongo_uri: str, database: str, watched: Watched
) -> None:
    expected = alone(filled)
    report = whole(make(filled, mongo_uri, database))
    assert (essence(filled, report), report.status) == (expected, "intact")
    assert (watched.segments, report.events_checked) == (9, SIZE)
    assert watched.all_gone()


def edited(**fields: Any) -> Change:
    return lambda events: [
        events.update_one({"chain": "main", "seq": seq}, {"$set": fields}) for seq in (15, 16, 40, SIZE - 1)
    ]


CHANGES: dict[str, Change] = {
    "payloads": edited(payload="{}"),
    "hashes": edited(hash=b"\0" * 32),
    "links": edited(prev_hash=b"\0" * 32),
    "nodes": edited(nodes=[b"\0" * 32]),
    "types": edited(v=2),
    "missing": lambda events: events.delete_many({"seq": {"$in": [0, 31, 32, 33, 63]}}),
    "a segment missing": lambda events: events.delete_many({"seq": {"$gte": 32, "$lt": 48}}),
    "truncated": lambda events: events.delete_many({"seq": {"$gte": 6 * STEP}}),
    "strays": lambda events: (
        events.drop_indexes()
        or events.insert_many(
            [
                events.find_one({"seq": 4}) | {"_id": f"main/{seq}", "seq": seq}
                for seq in (15.5, 16.5, [3, 40], Int64(-1))
            ]
        )
    ),
}


@pytest.mark.parametrize(
    "change",
    [pytest.param(each, marks=[pytest.mark.replica_set] if name == "strays" else []) for name, each in CHANGES.items()],
    ids=CHANGES,
)
def test_a_tampered_log_gets_the_same_report(
    filled: MongoStore, mongo_uri: str, database: str, watched: Watched, change: Change
) -> None:
    change(operations_of(filled).events)
    expected = alone(filled)
    report = whole(make(filled, mongo_uri, database))
    assert (essence(filled, report), report.status) == (expected, "tampered")
    assert watched.segments >= 2


@pytest.mark.usefixtures("watched")
def test_a_history_rewritten_after_an_audit_is_rewritten(filled: MongoStore, mongo_uri: str, database: str) -> None:
    auditor = make(filled, mongo_uri, database)
    whole(auditor)
    operations = operations_of(filled)
    operations.events.delete_many({})
    operations.sequences.delete_many({})
    filled.append("main", [draft(payload={"forged": number}) for number in range(SIZE + 40)])
    report = whole(auditor)
    assert [(f.kind, f.seq) for f in report.findings] == [("rewritten", SIZE - 1)]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("victims", [1, 2])
def test_workers_that_die_or_hang_are_done_without(
    filled: MongoStore, mongo_uri: str, watched: Watched, victims: int, sign: signal.Signals
) -> None:

    def strike(pool: RunningWorkers, start: int) -> None:
        if start == 2 * STEP:
            for worker in list(pool._workers.values())[:victims]:
                os.kill(worker._process.pid, sign)
            watched.impatient()

    expected = alone(filled)
    watched.before = strike
    report = whole(make(filled, mongo_uri, operations_of(filled).events.database.name))
    assert essence(filled, report) == expected
    assert 2 <= watched.segments <= 9
    assert watched.all_gone()


def test_workers_that_cannot_connect_are_done_without(filled: MongoStore, database: str, watched: Watched) -> None:
    expected = alone(filled)
    report = whole(make(filled, "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=1", database))
    assert (essence(filled, report), watched.segments) == (expected, 0)
    assert watched.all_gone()


def test_an_audit_in_many_resumed_parts_ends_like_one_in_a_single_run(
    filled: MongoStore, mongo_uri: str, database: str, watched: Watched
) -> None:
    operations_of(filled).events.update_one({"chain": "main", "seq": 40}, {"$set": {"note": 1}})
    expected = alone(filled)
    auditor = make(filled, mongo_uri, database)
    report = auditor.start("main", "full").report
    parts = 0
    while report.status == "running":
        report = auditor.run(read_run(AuditStore(filled).get(report.audit_id) or b""), 0)
        parts += 1
    assert (essence(filled, report), parts, watched.segments) == (expected, 9, 8)
    assert watched.all_gone()


def test_an_incremental_audit_that_starts_inside_a_step_goes_on_with_workers(
    filled: MongoStore, mongo_uri: str, database: str, watched: Watched
) -> None:
    auditor = make(filled, mongo_uri, database)
    whole(auditor)
    filled.append("main", [draft() for _ in range(4 * STEP)])
    watched.segments = 0
    report = auditor.run(auditor.start("main", "incremental"), 60)
    assert (report.from_seq, report.events_checked, report.status) == (SIZE, 4 * STEP, "intact")
    assert watched.segments == 4


def test_what_starts_inside_a_step_and_ends_before_the_next_is_not_for_workers(
    filled: MongoStore, mongo_uri: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = make(filled, mongo_uri, operations_of(filled).events.database.name)
    whole(auditor)
    filled.append("main", [draft() for _ in range(5)])
    monkeypatch.setattr(worker_pool._Worker, "order", lambda *_: pytest.fail("a task was given out"))
    report = auditor.run(auditor.start("main", "incremental"), 60)
    assert (report.events_checked, report.status) == (5, "intact")
    assert watched.all_gone()


def test_an_audit_that_fails_leaves_no_process_behind(
    filled: MongoStore, mongo_uri: str, database: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    auditor = make(filled, mongo_uri, database)
    report = auditor.start("main", "full")

    def fail(*_: object) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(scan.Pass, "finish", fail)
    with pytest.raises(StoreUnavailableError):
        auditor.run(report, 60)
    assert watched.all_gone()


def test_few_events_one_core_or_a_second_audit_start_no_process(mongo_uri: str, database: str) -> None:
    span = {"start": 0, "end": 100, "step": STEP}
    after: Any = None
    with Workers(mongo_uri, database, count=2, least=101).start("main", after, **span) as few:
        assert few is None
    with Workers(mongo_uri, database, count=1, least=0).start("main", after, **span) as single:
        assert single is None
    workers = Workers(mongo_uri, database, count=2, least=0)
    with workers.start("main", after, **span) as first, workers.start("main", after, **span) as second:
        assert (first is None, second is None) == (False, True)


PARENT = """
import sys, time
from eventlog.audit.workers import Workers
with Workers(sys.argv[1], sys.argv[2], count=2).start("main", None, start=0, end=10**9, step=16) as pool:
    while not all(worker.ready for worker in pool._workers.values()):
        pool._receive(1)
    print(*[worker._process.pid for worker in pool._workers.values()], flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(mongo_uri: str, database: str, sign: signal.Signals) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, mongo_uri, database],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=Path(__file__).parents[2],
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(sign)
        parent.wait(60)
        wait_until("the workers' end", lambda: not any(map(alive, pids)))


def test_a_lease_is_renewed_while_one_step_goes_on(filled: MongoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_RENEW_SECONDS", -1.0)
    monkeypatch.setattr(scan, "_CHUNK", 50)
    auditor = Auditor(filled, AuditStore(filled), ORIGIN, clock=lambda: time.time() - 3600)
    report = auditor.start("main", "full")
    monkeypatch.setattr(AuditStore, "save", lambda *_: None)
    auditor.run(report, 60)
    assert AuditStore(filled).waiting() == []
