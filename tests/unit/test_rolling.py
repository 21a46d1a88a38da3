"""Full audits that roll re-hash every event within so many days, a fair share each day, whatever else is there."""

from dataclasses import replace
from typing import Any, cast

import pytest

from eventlog.audit.rolling import Rolling
from eventlog.audit.run import AuditRun
from eventlog.audit.segments import Segments
from eventlog.store.errors import StoreUnavailableError
from tests.unit.test_segments import NOW, SEGMENT, MemoryRows, audit, new_run, segments

HOUR = 3_600_000
DAY = 24 * HOUR


class Standings:
    """What stands of the chain: something or nothing."""

    def __init__(self, *, stands: bool = False) -> None:
        self.answer = stands

    def stands(self, _: str) -> bool:
        return self.answer


def rolling(found: Segments | None, days: int = 10, *, stands: bool = False) -> Rolling:
    return Rolling(found, cast("Any", Standings(stands=stands)), days=days, hours=26)


def begun(now: int) -> AuditRun:
    run = new_run(None)
    run.report = replace(run.report, started_at=now)
    return run


@pytest.mark.parametrize("days", [3, 10, 30])
def test_no_event_goes_longer_without_being_rehashed(days: int) -> None:
    rows, made = MemoryRows(), []
    for day in range(2 * days):
        now = NOW + day * DAY
        run = begun(now)
        run.trusts_since = rolling(segments(rows, now=now), days).trusts_since(run)
        assert run.trusts_since is not None
        due = segments(rows, now=now).due(run)
        made.append(len(due))
        for start in due:
            note = segments(rows, now=now + start).make(run, start)
            assert note is not None
            segments(rows).keep(note)
        oldest = min(segments(rows, now=now + DAY).times(run).values())
        assert now + DAY - oldest <= days * DAY, "until the next full audit"
    assert made[0] == 5, "the first one makes all"
    assert max(made[1:]) <= -(-5 * 26 // (days * 24 - 26)), "then each has its share"


def test_an_audit_rests_on_nothing_where_it_must_not() -> None:
    rows = MemoryRows()
    found = segments(rows)
    run = begun(NOW)
    assert rolling(found).trusts_since(run) is not None
    assert rolling(found, 0).trusts_since(run) is None, "it does not roll"
    assert rolling(None).trusts_since(run) is None, "nothing is signed"
    assert rolling(found, stands=True).trusts_since(run) is None, "something stands"
    short = begun(NOW)
    short.report = replace(short.report, to_seq=SEGMENT - 1)
    assert rolling(found).trusts_since(short) is None, "there is no segment"


def test_results_that_cannot_be_read_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = MemoryRows()

    def fail(*_: object) -> None:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(rows, "list_notes", fail)
    assert rolling(segments(rows)).trusts_since(begun(NOW)) is None


def test_what_is_made_for_a_shared_audit_is_joined_by_it() -> None:
    rows = MemoryRows()
    run = new_run(NOW)
    for start in segments(rows).due(run):
        note = segments(rows).make(run, start)
        assert note is not None
        segments(rows).keep(note)
    assert segments(rows).due(run) == []
    assert audit(rows, [], NOW).report.rehashed_since is None
