"""The development server's audit schedule: a full audit first, then incremental ones, whatever happens."""

import queue
from collections.abc import Callable
from typing import Any

from local.server import AuditSchedule

Report = dict[str, Any]
INTACT: Report = {"status": "intact"}
TAMPERED: Report = {
    "status": "tampered",
    "chain": "main",
    "audit_id": "a-1",
}


def rounds(run: Callable[[str], list[Report]], count: int) -> tuple[list[str], list[str]]:
    """The modes of the first `count` rounds, and what was told meanwhile."""
    modes: queue.Queue[str] = queue.Queue()
    told: list[str] = []

    def run_audits(mode: str) -> Report:
        modes.put(mode)
        return {"mode": mode, "audits": run(mode)}

    schedule = AuditSchedule(run_audits, told.append, every=0.001)
    schedule.start()
    seen = [modes.get(timeout=30) for _ in range(count)]
    schedule.stop()
    assert not schedule.is_alive()
    return seen, told


def test_the_first_round_is_full_and_the_next_are_incremental() -> None:
    assert rounds(lambda _: [INTACT], 3) == (["full", "incremental", "incremental"], [])


def test_tampering_is_told() -> None:
    _, told = rounds(lambda _: [INTACT, TAMPERED], 2)
    assert told[0] == "TAMPERED: the audit of chain main has findings, see /api/v1/audits/a-1."


def test_a_failed_round_is_told_and_tried_again_in_full() -> None:
    def fail(mode: str) -> list[Report]:
        raise ConnectionError(mode)

    modes, told = rounds(fail, 3)
    assert modes == ["full", "full", "full"]
    assert told[0] == "The scheduled audit failed: ConnectionError."


def test_a_full_audit_that_was_skipped_as_another_is_at_work_is_tried_again() -> None:
    modes: queue.Queue[str] = queue.Queue()

    def run_audits(mode: str) -> Report:
        modes.put(mode)
        return {"mode": mode, "audits": []} | ({"skipped": "another is at work"} if mode == "full" else {})

    schedule = AuditSchedule(run_audits, lambda _: None, every=0.001)
    schedule.start()
    assert [modes.get(timeout=30) for _ in range(3)] == ["full"] * 3
    schedule.stop()
