"""Whatever step an auditor dies at, and however many are at work: one history is signed, and anchored without a gap."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from bson import DatetimeMS

from eventlog.anchors.history import AnchorHistory, Standing
from eventlog.chain_names import REGISTRY
from eventlog.store.errors import AnchorsUnavailableError, SigningError
from eventlog.store.mongo.store import operations_of
from tests.support.anchored import AnchoredLog
from tests.support.auditors import Countdown, DiedError, Recorder, check_anchors, dying_auditor


@pytest.fixture
def recorder(log: AnchoredLog) -> Recorder:
    recorder = Recorder(log.signers[0])
    log.signers = [recorder]
    return recorder


def dies_at(log: AnchoredLog, countdown: Countdown, chain: str) -> bool:
    """Whether the auditor has died on its way."""
    auditor = dying_auditor(log, countdown)
    try:
        auditor.run(auditor.start(chain, "incremental"), 60)
    except DiedError:
        return True
    return False


@pytest.mark.parametrize("anchored", [False, True], ids=["first", "later"])
def test_wherever_an_auditor_dies_another_goes_on(log: AnchoredLog, recorder: Recorder, anchored: bool) -> None:
    """Dying right after a step is dying before the next one."""
    step, died = 0, True
    while died:
        step += 1
        chain = f"c{step}"
        log.append(5, chain)
        if anchored:
            log.audit(chain=chain)
            log.append(4, chain)
        died = dies_at(log, Countdown(step), chain)
        log.append(3, chain)
        assert log.audit(chain=chain).status == "intact"
        assert check_anchors(log, chain)[-1] == (12 if anchored else 8)
        full = log.audit("full", chain)
        assert (full.status, full.findings) == ("intact", ())
    assert step > 20
    recorder.check()
    assert log.audit("full", REGISTRY).status == "intact"


def test_what_a_dead_auditor_has_left_running_is_resumed_after_others_went_on(
    log: AnchoredLog, recorder: Recorder
) -> None:
    step, died = 0, True
    while died:
        step += 1
        chain = f"c{step}"
        log.append(5, chain)
        died = dies_at(log, Countdown(step), chain)
        log.append(3, chain)
        log.audit(chain=chain)
        log.append(2, chain)
        operations_of(log.store).audits.update_many({"status": "running"}, {"$set": {"lease": DatetimeMS(0)}})
        for report in log.auditor().resume(60):
            assert report.status in {"intact", "incomplete"}
            assert report.findings == ()
        assert log.audit("full", chain).status == "intact"
        check_anchors(log, chain)
    recorder.check()


@pytest.mark.parametrize("error", [AnchorsUnavailableError("gone"), SigningError("gone")], ids=["anchors", "key"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_audit_that_can_not_reach_something_at_a_step_is_incomplete_or_raises_and_the_next_one_goes_on(
    log: AnchoredLog, recorder: Recorder, error: Exception, after: bool
) -> None:
    step, reached = 0, True
    while reached:
        step += 1
        chain = f"c{step}"
        log.append(5, chain)
        countdown = Countdown(step, after, error)
        auditor = dying_auditor(log, countdown)
        try:
            report = auditor.run(auditor.start(chain, "full"), 60)
            assert report.status in {"intact", "incomplete"}
            assert (report.incomplete_because is not None) == (report.status == "incomplete")
        except type(error):
            pass
        reached = countdown.left <= 0
        assert log.audit("full", chain).status == "intact"
        check_anchors(log, chain)
    recorder.check()


@pytest.mark.parametrize("log", [False, True], indirect=True, ids=["alone", "packed"])
def test_eight_auditors_at_once_while_events_are_logged_anchor_one_history(
    log: AnchoredLog, recorder: Recorder
) -> None:
    over = Event()
    log.append(3)

    def audit_on(mode: str) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        while not over.is_set():
            report = log.audit(mode)
            found.add((report.status, str(list(report.findings))))
        return found

    with ThreadPoolExecutor(8) as threads:
        audits = [threads.submit(audit_on, ("incremental", "full")[number % 2]) for number in range(8)]
        try:
            count = 0
            while count < 40 or len(log.files()) <= 5:  # however slow the auditors are, they get to sign several times
                log.append(count % 5 + 1)
                count += 1
        finally:
            over.set()
        assert {each for audit in audits for each in audit.result()} == {("intact", "[]")}
    log.audit()
    recorder.check()
    assert len(check_anchors(log)) > 5
    assert log.audit("full").status == "intact"
    assert log.audit("full", REGISTRY).status == "intact"


def test_auditors_of_whole_logs_at_once_register_each_chain_once(log: AnchoredLog, recorder: Recorder) -> None:
    for number in range(4):
        log.append(3, f"c{number}")
    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(lambda _: log.audit_all(), range(4)))
    assert {report.status for found in reports for report in found.values()} == {"intact"}
    entries = {"chain": REGISTRY, "event_type": "eventlog.chain_registered"}  # what commits to heads is there, too
    assert operations_of(log.store).events.count_documents(entries) == 4
    assert {r.status for r in log.audit_all("full").values()} == {"intact"}
    recorder.check()


@pytest.mark.parametrize("mode", ["incremental", "full"])
@pytest.mark.parametrize("log", [False, True], indirect=True, ids=["alone", "packed"])
def test_a_first_anchor_that_is_made_and_registered_while_an_audit_looks_is_not_missing(
    log: AnchoredLog, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    log.append(3, "other")
    log.audit_all()
    log.append(5)
    auditor, standing, others = log.auditor(), AnchorHistory.standing, list[str]()

    def overtaken(self: AnchorHistory, chain: str, origins: list[str]) -> Standing:
        found = standing(self, chain, origins)
        if not others:
            monkeypatch.setattr(AnchorHistory, "standing", standing)
            others.append(log.audit(mode).status)
        return found

    monkeypatch.setattr(AnchorHistory, "standing", overtaken)
    report = auditor.run(auditor.start("main", "full" if mode == "full" else "incremental"), 60)
    assert (others, report.findings) == (["intact"], ())
    assert check_anchors(log) == [5]
    assert log.audit("full").status == "intact"
    recorder.check()
