"""A full round that is shared: each chain is audited once, and nothing keeps the next round from beginning."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from eventlog.anchors.signing import create_key_file
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport, Mode
from eventlog.settings import Settings
from eventlog.store.errors import StoreUnavailableError
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from functions.chain_audit import app as function
from local import server
from tests.support.anchored import HOUR, AnchoredLog
from tests.support.factories import draft

REGISTRY, DAY = "eventlog.registry", 24 * HOUR


@pytest.fixture
def settings(mongo_uri: str, database: str, tmp_path: Path) -> Settings:
    create_key_file(tmp_path / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    settings.anchors, settings.signing_keys = str(tmp_path / "anchors"), str(tmp_path / "key")
    return settings


def by_the_function(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(function, "wiring_of", lambda *_: wired)
    plan = function.handler({"source": "eventlog.share"}, None)
    assert plan["items"] == []
    return function.handler({"source": "eventlog.conclude", "mode": "full", "round": plan["round"]}, None)


def by_the_local_server(wired: AuditWiring, _: pytest.MonkeyPatch) -> dict[str, Any]:
    return server.run_audits(wired, "full")


def by_a_schedule_that_shares_nothing(wired: AuditWiring, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(function, "wiring_of", lambda *_: wired)
    return function.handler({"source": "eventlog.schedule", "mode": "full"}, None)


@pytest.mark.parametrize("run", [by_the_function, by_the_local_server, by_a_schedule_that_shares_nothing])
def test_each_chain_is_audited_once(
    settings: Settings,
    run: Callable[[AuditWiring, pytest.MonkeyPatch], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(Connection(settings)) as connection:
        for chain in ("a", "b"):
            connection.log.append(chain, [draft(chain=chain) for _ in range(3)])
        wired = AuditWiring(connection)
        wired.auditor.audit_all("incremental", 60)  # which makes the registry
        for _ in range(2):
            done = run(wired, monkeypatch)
            assert sorted((each["chain"], each["mode"]) for each in done["audits"]) == [
                ("a", "full"),
                ("b", "full"),
                (REGISTRY, "full"),
            ]
            assert wired.auditor.full_age() is not None


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """Two chains, fully audited a day ago."""
    log = AnchoredLog(store, tmp_path)
    for chain in ("a", "b"):
        log.append(6, chain)
    log.audit_all()
    log.audit_all("full")
    log.ahead += DAY
    return log


def plan(log: AnchoredLog) -> str:
    spreading = log.auditor().spreading
    assert spreading is not None
    return spreading.plan().begun


def conclude(log: AnchoredLog, begun: str) -> list[tuple[str, str]]:
    """The reports that are there; one chain may fail in the end."""
    done: list[tuple[str, str]] = []
    with suppress(StoreUnavailableError):
        done.extend((each.chain, each.status) for each in log.auditor().each("full", 60, concludes=begun))
    return done


def edit(log: AnchoredLog, chain: str) -> None:
    operations_of(log.store).events.update_one({"chain": chain, "seq": 1}, {"$set": {"payload": '{"n":"forged"}'}})


def test_a_chain_that_can_not_be_audited_keeps_no_other_from_it(
    log: AnchoredLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Auditor._audit

    def fail(self: Auditor, chain: str, mode: Mode, until: float) -> AuditReport | None:
        if chain == "a":
            raise StoreUnavailableError("this one can't be read")
        return audit(self, chain, mode, until)

    monkeypatch.setattr(Auditor, "_audit", fail)
    for _ in range(3):
        assert ("b", "intact") in conclude(log, plan(log))
        log.ahead += DAY
    edit(log, "b")
    assert ("b", "tampered") in conclude(log, plan(log))


@pytest.mark.parametrize("when", ["before it is planned", "before it is concluded"])
def test_an_older_round_that_is_put_back_keeps_no_chain_from_being_audited(log: AnchoredLog, when: str) -> None:
    audits = operations_of(log.store).audits
    broken_off = log.auditor().each("full", 60)
    assert [next(broken_off).chain for _ in range(2)] == ["a", "b"]
    broken_off.close()  # type: ignore[attr-defined]
    kept = audits.find_one({"_id": "round/full"}) or {}
    assert kept["left"] == [REGISTRY]
    conclude(log, "")
    edit(log, "b")
    log.ahead += DAY - HOUR
    audits.delete_one({"_id": "round/full"})
    if when == "before it is planned":
        audits.insert_one(kept)
    begun = plan(log)
    if when == "before it is concluded":
        audits.replace_one({"_id": "round/full"}, kept)
    assert ("b", "tampered") in conclude(log, begun)


def test_what_was_left_by_a_process_that_died_is_no_round_of_today(log: AnchoredLog) -> None:
    died = log.auditor().each("full", 60)
    assert [next(died).chain for _ in range(2)] == ["a", "b"]
    died.close()  # type: ignore[attr-defined]
    edit(log, "a")
    log.ahead += DAY - HOUR
    assert ("a", "tampered") in conclude(log, plan(log))
    assert (log.auditor().full_age() or DAY) < HOUR / 1000


def test_a_round_that_was_ended_before_it_was_concluded_is_not_begun_again(log: AnchoredLog) -> None:
    """By an incremental round, or by an invocation whose answer was lost."""
    begun = plan(log)
    log.auditor().audit_all("incremental", 600)  # a tenth of it is for what a full round has left
    assert conclude(log, begun) == []
    begun = plan(log)
    assert {chain for chain, _ in conclude(log, begun)} == {"a", "b", REGISTRY}
    assert conclude(log, begun) == []
    assert len(conclude(log, plan(log))) == 3
