"""No run of the walk of audits breaks a promise: none accuses without cause, and none hides what was done.

More runs, longer ones, or others: EVENTLOG_WALKS=200 EVENTLOG_WALK_STEPS=60 EVENTLOG_WALK_FIRST=1000.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eventlog.anchors.anchoring import Anchoring
from eventlog.audit.report import AuditReport
from eventlog.formats.anchor import Seal
from eventlog.formats.checkpoint import Checkpoint
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.verify.findings import Finding
from tests.model.audit_walk import play
from tests.model.invariants import ViolationError

FIRST = int(os.environ.get("EVENTLOG_WALK_FIRST", "0"))
RUNS = int(os.environ.get("EVENTLOG_WALKS", "2"))
STEPS = int(os.environ.get("EVENTLOG_WALK_STEPS", "14"))


def empty(store: MongoStore) -> None:
    database = operations_of(store).events.database
    for name in database.list_collection_names():
        database[name].delete_many({})


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_no_run_breaks_a_promise(store: MongoStore, tmp_path: Path, seed: int) -> None:
    play(store, tmp_path, seed, STEPS)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + (RUNS + 3) // 4))
def test_with_packs_and_without_the_same_is_found(
    store: MongoStore, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    found = []
    for packing in (False, True):
        empty(store)
        walk = play(store, tmp_path_factory.mktemp("walk"), seed, STEPS, packing=packing, same=True)
        found.append(walk.findings)
    assert found[0] == found[1]


def sign_ours(_: Anchoring, __: bytes, ___: object, ours: Checkpoint, seal: Seal, ____: object) -> tuple[object, Seal]:
    return ours, seal


def make_no_copies(_: Anchoring, __: str, ___: object) -> None:
    pass


def overlook_payloads(report: AuditReport, finding: Finding, add: Any = AuditReport.with_finding) -> Any:
    return report if finding.kind == "payload_mismatch" else add(report, finding)


class LeftOut(NamedTuple):
    """A part of an audit, what stands in its place, a run that finds out, and how."""

    owner: object
    name: str
    instead: Callable[..., object]
    seed: int
    complaint: str


LEFT_OUT = (
    LeftOut(Anchoring, "_claimed", sign_ours, 6, "two things were signed of one place or size"),
    LeftOut(Anchoring, "keep_copies", make_no_copies, 5, "a is accused: .*no copy of anchor 1"),
    LeftOut(AuditReport, "with_finding", overlook_payloads, 7, "b is intact: edited"),
)


@pytest.mark.parametrize("part", LEFT_OUT, ids=lambda part: part.name)
def test_without_a_part_of_an_audit_some_run_breaks_a_promise(
    store: MongoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: LeftOut
) -> None:
    monkeypatch.setattr(part.owner, part.name, part.instead)
    with pytest.raises(ViolationError, match=f"^seed {part.seed}: {part.complaint}"):
        play(store, tmp_path, part.seed, 20)
