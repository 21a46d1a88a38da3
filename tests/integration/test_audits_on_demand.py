"""Audits that callers ask a server for: joined while they are at work, one at a time for each caller, a few at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from eventlog.audit import scan
from eventlog.audit.auditor import Auditor
from eventlog.audit.on_demand import AT_ONCE, OnDemand
from eventlog.audit.report import AuditReport
from eventlog.audit.run import AuditRun
from eventlog.errors import NotFoundError
from eventlog.http.wired import wiring_of
from eventlog.settings import Settings
from eventlog.store.errors import LimitError, StoreUnavailableError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore
from eventlog.wiring.audit import AuditWiring
from local.machine import wait_until
from tests.support.access import Answer, Grant, Sample, ThroughGateway, WithTokens
from tests.support.factories import draft

AUDITORS = [Grant(name=f"auditor-{number}") for number in range(4)]
CHAINS = ("a", "b", "c")


class Held(Auditor):
    """Audits that begin, and then wait until they are let go."""

    go_on = threading.Event()

    def run(self, run: AuditRun, seconds: float) -> AuditReport:
        assert self.go_on.wait(60)
        return super().run(run, seconds)


@pytest.fixture
def auditor(store: MongoStore) -> Iterator[Held]:
    for chain in CHAINS:
        store.append(chain, [draft(chain=chain)])
    auditor = Held(store, AuditStore(store), "example.com/log")
    auditor.go_on = threading.Event()
    yield auditor
    auditor.go_on.set()


def test_an_audit_at_work_is_joined_and_one_that_is_done_is_not(auditor: Held) -> None:
    audits = OnDemand(lambda: auditor)
    first = audits.ask("x", "a", "full")
    assert {audits.ask(caller, "a", "full") for caller in ("x", "y", "z")} == {first}
    assert audits.ask("y", "a", "incremental") is not first
    auditor.go_on.set()
    report = first.done.result(60)
    assert (report.status, report.chain, report.mode) == ("intact", "a", "full")
    wait_until("the audit to be put away", lambda: audits.ask("z", "a", "full") is not first)


def test_a_caller_has_one_audit_at_a_time_and_a_server_a_few(auditor: Held) -> None:
    audits = OnDemand(lambda: auditor)
    asked = [audits.ask(f"caller-{chain}", chain, "full") for chain in CHAINS]
    with pytest.raises(LimitError, match="caller-a has a full audit of chain a at work, and one caller may have one"):
        audits.ask("caller-a", "b", "incremental")
    with pytest.raises(LimitError):
        audits.ask("caller-c", "a", "incremental")  # it waits for its turn, which counts too
    wait_until("some to begin", lambda: sum(item.so_far is not None for item in asked) == AT_ONCE)
    auditor.go_on.set()
    assert [item.done.result(60).status for item in asked] == ["intact"] * 3


def test_an_audit_that_fails_fails_for_all_who_wait_and_frees_its_caller(auditor: Held) -> None:
    audits = OnDemand(lambda: auditor)
    with pytest.raises(NotFoundError):
        audits.ask("x", "none", "full").done.result(60)
    auditor.go_on.set()
    assert audits.ask("x", "a", "full").done.result(60).status == "intact"

    def gone() -> Auditor:
        raise StoreUnavailableError("gone")

    with pytest.raises(StoreUnavailableError, match="gone"):
        OnDemand(gone).ask("x", "a", "full").done.result(60)


@pytest.fixture
def server(mongo_uri: str, database: str, tmp_path: Path, auditor: Held) -> Iterator[WithTokens]:
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, audit_seconds=0.5)
    server = WithTokens(settings, tmp_path / "tokens", AUDITORS)
    wiring_of(server.app, AuditWiring).on_demand = OnDemand(lambda: auditor)
    with closing(server.app.state.connection):
        yield server


def asked_for(server: WithTokens, who: int, chain: str, mode: str = "full") -> Answer:
    return server.call("POST", Sample("/api/v1/audits", json={"chain": chain, "mode": mode}), AUDITORS[who])


def test_over_http_many_requests_are_one_audit_and_a_second_one_of_a_caller_is_429(
    server: WithTokens, auditor: Held
) -> None:
    first = asked_for(server, 0, "a")
    with ThreadPoolExecutor(8) as threads:
        answers = [first, *threads.map(lambda number: asked_for(server, number % 4, "a"), range(8))]
    assert {answer.status for answer in answers} == {202}
    (audit_id,) = {answer.json()["audit_id"] for answer in answers}
    refused = asked_for(server, 0, "b")
    assert refused.problem[0] == 429
    assert "one caller may have one audit at a time" in refused.problem[1]
    assert int(refused.headers["retry-after"]) > 0
    auditor.go_on.set()

    def status() -> str:
        return str(server.call("GET", Sample(f"/api/v1/audits/{audit_id}"), AUDITORS[0]).json()["status"])

    wait_until("the audit to end by itself", lambda: status() == "intact")


def test_an_audit_that_did_not_get_its_turn_says_so_and_is_joined_by_who_asks_again(
    server: WithTokens, auditor: Held
) -> None:
    assert [asked_for(server, number, chain).status for number, chain in enumerate("ab")] == [202, 202]
    waiting = asked_for(server, 2, "c")
    assert (waiting.problem[0], waiting.headers["retry-after"]) == (503, "1")
    auditor.go_on.set()
    wait_until("its turn", lambda: asked_for(server, 2, "c").status == 200)


def test_a_forged_report_of_a_running_audit_is_not_joined(server: WithTokens, auditor: Held, store: MongoStore) -> None:
    auditor.go_on.set()
    first = asked_for(server, 0, "a").json()
    audits = AuditStore(store)._ops.audits
    audits.update_one({"_id": first["audit_id"]}, [{"$set": {"status": "running", "lease": "$$NOW"}}])
    assert asked_for(server, 0, "a").json()["audit_id"] != first["audit_id"]


def test_behind_lambda_one_audit_that_ran_out_of_time_is_left_to_the_schedule_and_no_heap_of_them(
    mongo_uri: str, database: str, store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "STEP", 3)
    store.append("a", [draft(chain="a") for _ in range(9)])
    store.append("b", [draft(chain="b")])
    way = ThroughGateway(Settings(mongo_uri=mongo_uri, mongo_database=database, audit_seconds=0))
    with closing(way.app.state.connection):

        def asked(chain: str, mode: str) -> Answer:
            sample = Sample("/api/v1/audits", json={"chain": chain, "mode": mode})
            return way.call("POST", sample, AUDITORS[0])

        first = asked("a", "full")
        left = first.json()["audit_id"]
        assert (first.status, first.json()["status"]) == (202, "running")
        again = asked("a", "full")
        assert again.problem[0] == 429
        assert left in again.problem[1]
        assert again.headers["retry-after"] == "60"
        assert [asked("a", "incremental").status, asked("b", "full").status] == [202, 200]
        resumed = Auditor(store, AuditStore(store), "example.com/log").resume(60)
        assert {report.status for report in resumed} == {"intact"}
        assert left in {report.audit_id for report in resumed}
        assert asked("a", "full").status == 202
