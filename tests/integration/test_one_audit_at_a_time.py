"""Of the scheduled audits in one mode one works at a time; who died holds nobody up for long."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from bson import DatetimeMS
from bson.codec_options import CodecOptions, DatetimeConversion

from eventlog.audit.exclusive import exclusive
from eventlog.http import audits
from eventlog.settings import Settings
from eventlog.store.interface.audits import LEASE_MILLIS
from eventlog.store.mongo.leases import LEASES, Leases
from eventlog.store.mongo.store import operations_of
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.machine import wait_until
from tests.support.emf import printed, records
from tests.support.factories import draft
from tests.support.secured import SecuredLog

FULL, INCREMENTAL = LEASES
Collection = Any


@pytest.fixture
def wired(mongo_uri: str, database: str) -> Iterator[AuditWiring]:
    with closing(Connection(Settings(mongo_uri=mongo_uri, mongo_database=database))) as connection:
        connection.log.append("main", [draft()])
        yield AuditWiring(connection)


@pytest.fixture
def documents(wired: AuditWiring) -> Collection:
    """The collection of reports and leases."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
    return operations_of(wired.log).audits.with_options(codec_options=options)


@contextmanager
def another(wired: AuditWiring) -> Iterator[AuditWiring]:
    """As another process sees the same database."""
    with closing(Connection(wired.settings)) as connection:
        yield AuditWiring(connection)


def age(documents: Collection, name: str, millis: int) -> None:
    """Move a lease into the past, by the server's clock."""
    documents.update_one({"_id": name}, [{"$set": {"lease": {"$subtract": ["$$NOW", millis]}}}])


class Paused:
    """An audit that stands still on its way, in a thread of its own, until it is let go."""

    def __init__(self, wired: AuditWiring, mode: str, patch: pytest.MonkeyPatch) -> None:
        self.reached, self._go = threading.Event(), threading.Event()
        each = wired.auditor.each

        def stand_still(*args: Any, **options: Any) -> Iterator[Any]:
            self.reached.set()
            assert self._go.wait(60)
            yield from each(*args, **options)

        patch.setattr(wired.auditor, "each", stand_still)
        self._threads = ThreadPoolExecutor(1)
        self._run = self._threads.submit(audits.run_scheduled, wired, mode)
        assert self.reached.wait(60)

    def finish(self) -> dict[str, Any]:
        self._go.set()
        found = self._run.result(60)
        self._threads.shutdown()
        return found


def test_the_second_of_two_runs_at_once_returns_and_says_why(
    wired: AuditWiring,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with another(wired) as other:
        first = Paused(wired, "incremental", monkeypatch)
        capsys.readouterr()
        with caplog.at_level("INFO"):
            skipped = audits.run_scheduled(other, "incremental")
        assert (skipped["audits"], "another audit" in skipped["skipped"]) == ([], True)
        assert [(said.message, vars(said)["mode"]) for said in caplog.records] == [("audit skipped", "incremental")]
        lines = printed(capsys)
        assert [(found["mode"], values) for found, values in records(lines, "AuditsSkipped")] == [
            ("incremental", [1.0])
        ]
        assert [values for _, values in records(lines, "AuditsFinished")] == [[0.0]]
        assert not [name for name in vars(other) if "auditor" in name], "whoever is skipped needs no keys"
        assert [line for line in lines if "_aws" in line and "AuditsSkipped" not in line] == []
        done = first.finish()
        assert ("skipped" in done, [report["status"] for report in done["audits"]]) == (False, ["intact"])
        assert len(records(printed(capsys), "AuditsFinished")) == 1
        assert "skipped" not in audits.run_scheduled(other, "incremental")


def test_of_many_that_begin_in_one_moment_one_gets_the_lease(wired: AuditWiring) -> None:
    leases = [Leases(wired.log) for _ in range(8)]
    together = threading.Barrier(len(leases))

    def take(number: int) -> bool:
        together.wait(60)
        return leases[number].take(FULL, f"holder {number}")

    with ThreadPoolExecutor(len(leases)) as threads:
        for _ in range(5):
            assert sum(threads.map(take, range(len(leases)))) == 1
            operations_of(wired.log).audits.delete_one({"_id": FULL})


def test_full_and_incremental_audits_may_work_at_once(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> None:
    with another(wired) as other:
        first = Paused(wired, "full", monkeypatch)
        assert [r["status"] for r in audits.run_scheduled(other, "incremental")["audits"]] == ["intact"]
        assert [r["status"] for r in first.finish()["audits"]] == ["intact"]


def test_whoever_died_is_followed_once_its_lease_is_stale(wired: AuditWiring, documents: Collection) -> None:
    assert Leases(wired.log).take(INCREMENTAL, "who dies now")
    age(documents, INCREMENTAL, LEASE_MILLIS - 15_000)
    assert "skipped" in audits.run_scheduled(wired, "incremental")
    age(documents, INCREMENTAL, LEASE_MILLIS + 1)
    assert "skipped" not in audits.run_scheduled(wired, "incremental")


def test_a_lease_is_renewed_while_its_holder_works(wired: AuditWiring, documents: Collection) -> None:
    leases = Leases(wired.log)
    with exclusive(leases, FULL, every=0.01) as alone:
        assert alone
        age(documents, FULL, LEASE_MILLIS + 1)
        stale = documents.find_one({"_id": FULL})["lease"]
        wait_until("the lease to be renewed", lambda: documents.find_one({"_id": FULL})["lease"] > stale)
        assert not leases.take(FULL, "another")


def test_a_lease_is_given_back_also_when_the_audit_fails(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(wired.auditor, "each", fail)
        with pytest.raises(ConnectionError):
            audits.run_scheduled(wired, "full")
    assert "skipped" not in audits.run_scheduled(wired, "full")


def test_who_lost_its_lease_does_not_take_the_new_holders(wired: AuditWiring, documents: Collection) -> None:
    leases = Leases(wired.log)
    assert leases.take(FULL, "slow")
    age(documents, FULL, LEASE_MILLIS + 1)
    assert leases.take(FULL, "next")
    leases.renew(FULL, "slow")
    leases.release(FULL, "slow")
    assert not leases.take(FULL, "third")
    assert documents.find_one({"_id": FULL})["holder"] == "next"


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"holder": 5, "lease": "always"},
        {"holder": "x", "lease": [DatetimeMS(2**62)]},
        {"holder": "x", "lease": DatetimeMS(2**45)},
        {"chain": "main", "mode": "full", "status": "running", "lease": DatetimeMS(0)},
        {"$$NOW": 1, "lease": None},
    ],
    ids=str,
)
def test_a_damaged_or_foreign_lease_stops_nobody(wired: AuditWiring, documents: Collection, damaged: Any) -> None:
    documents.insert_one({"_id": INCREMENTAL} | damaged)
    done = audits.run_scheduled(wired, "incremental")
    assert [report["status"] for report in done["audits"]] == ["intact"]
    assert set(documents.find_one({"_id": INCREMENTAL})) == {"_id", "holder", "lease"}


def test_a_lease_is_never_shown_or_resumed_as_a_report(wired: AuditWiring, documents: Collection) -> None:
    report = {"chain": "main", "mode": "full", "status": "running", "lease": DatetimeMS(0)}
    documents.insert_many([{"_id": name} | report for name in LEASES])
    assert wired.auditor.reports(None, 10, None) == wired.auditor.reports("main", 10, None) == []
    assert wired.auditor.reports(None, 10, "z") == []
    assert wired.auditor.resume(60) == []


def test_the_audit_function_may_lease_and_what_it_writes_fits_the_validator(secured_log: SecuredLog) -> None:
    with secured_log.store("audit") as store:
        leases = Leases(store)
        assert leases.take(FULL, "one")
        leases.renew(FULL, "one")
        leases.release(FULL, "one")
        assert leases.take(FULL, "two")
        leases.release(FULL, "two")
