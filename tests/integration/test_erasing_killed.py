"""The erase function is killed (SIGKILL) before each of its steps, and another invocation ends its work.

tests/integration/test_erasing.py has the same steps fail inside one process, and backups restored between them.
"""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from eventlog.formats.event import Event
from eventlog.formats.governance import ERASURE
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey
from tests.integration.eraser import Eraser, Json
from tests.support.anchored import ORIGIN, AnchoredLog
from tests.support.factories import draft
from tests.support.governed import SECRET, GovernedLog
from tests.support.processes import ROOT

ORDERED = ["findAndModify sequences", "update erasures", "insert events", "findAndModify sequences"]
"""The event is appended, the request is no more open, and what was asked for settles the event."""


@pytest.fixture
def governed(log: AnchoredLog, tmp_path: Path) -> GovernedLog:
    governed = GovernedLog.make(log, tmp_path)
    governed.append("first", "second-large")
    return governed


@pytest.fixture
def eraser(governed: GovernedLog, mongo_uri: str, database: str, tmp_path: Path) -> Eraser:
    return Eraser(
        {
            "MONGO_URI": mongo_uri,
            "MONGO_DATABASE": database,
            "EVENTLOG_ORIGIN": ORIGIN,
            "EVENTLOG_ANCHORS": str(governed.log.folder / "anchors"),
            "EVENTLOG_SIGNING_KEYS": str(governed.log.folder / "key"),
            "EVENTLOG_GOVERNANCE_KEYS": format_vkey(VerifierKey(ORIGIN, governed.key.public_key, KIND)),
            "EVENTLOG_GOVERNANCE_SIGNING_KEY": str(tmp_path / "governance.pem"),
            "EVENTLOG_TRACING": "false",
        }
    )


def sample(name: str) -> Json:
    found: Json = json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def schedule() -> Json:
    return sample("schedule-erase")


def request_of(number: int) -> str:
    return f"01936f00-0000-7000-8000-{number:012}"


def asks(number: int, *names: str) -> Json:
    """The privacy desk asks for an erasure."""
    body = {"events": names, "basis": "gdpr-art-17", "reason": "request 118", "request_id": request_of(number)}
    return sample("post-erasure") | {"body": json.dumps(body)}


def approves(number: int) -> Json:
    """Somebody else approves it."""
    event = sample("post-erasure-approval")
    event["pathParameters"]["erasure_id"] = request_of(number)
    path = f"/api/v1/chains/main/erasures/{request_of(number)}/approve"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = "officer"
    return event


def orders(governed: GovernedLog) -> list[Event]:
    return [event for event in governed.events() if event.entry.event_type == ERASURE]


def check(governed: GovernedLog, named: Sequence[str]) -> None:
    """The log is intact; what was ordered is erased, and nothing else, also of what is stored apart."""
    assert governed.erased() == list(named)
    assert governed.audited() == ("intact", len(named), 0)
    others = [event.entry for event in governed.events() if event.entry.event_id not in named]
    assert all(SECRET in entry.payload or entry.event_type == ERASURE for entry in others)
    large = {entry.event_id for entry in others if entry.payload_bytes is not None}
    assert {name.split("/")[1] for name in governed.bodies()} == large


@pytest.mark.parametrize("approvals", [1, 2])
def test_killed_wherever_it_orders_an_erasure_there_is_one_order_and_it_is_carried_out(
    governed: GovernedLog, eraser: Eraser, approvals: int
) -> None:
    """What was begun the schedule ends, or whoever asks once more, as there was no answer."""
    people = {"EVENTLOG_ERASURE_APPROVALS": str(approvals)}
    steps = list[str]()
    for number in count(1):
        names = [f"v{number}", f"v{number}-large"]
        governed.append(*names)
        governed.log.store.settle("main")
        request = asks(number, *names)
        if approvals == 2:
            answer, _ = eraser.run(request, **people)
            assert json.loads(answer["body"])["state"] == "waiting"
            request = approves(number)
        step = eraser.kill_at(number, request, **people)
        if step is None:
            break
        steps.append(step)
        eraser.run(schedule(), **people)
        if number % 2 or len(orders(governed)) < number:
            answer, _ = eraser.run(request, **people)
            assert json.loads(answer["body"])["state"] == "logged"
        assert len(orders(governed)) == number
    claim = "file approved" if approvals == 2 else "file claim"
    assert steps == [claim, "update erasures", "sign", "file note", *ORDERED]
    governed.log.audit()
    eraser.run(schedule(), **people)
    check(governed, [f"v{one}{kind}" for one in range(1, number + 1) for kind in ("", "-large")])
    assert len({event.entry.event_id for event in orders(governed)}) == len(orders(governed)) == number


def test_killed_wherever_it_carries_out_orders_another_ends_its_work(governed: GovernedLog, eraser: Eraser) -> None:
    """One order of two batches, in each of them a payload stored apart, and then a smaller one."""
    named, steps = list[str](), list[str]()
    for number in count(1):
        many = [f"w{number}-large", *(f"w{number}-{other}" for other in range(99)), f"x{number}-large"]
        governed.append(many[0], f"kept{number}-large")
        governed.log.store.append("main", [draft(name, payload={"name": SECRET}) for name in many[1:-1]])
        governed.append(many[-1], f"y{number}", f"kept{number}")
        governed.erase(*many)
        governed.erase(f"y{number}")
        named += [*many, f"y{number}"]
        governed.log.audit()
        step = eraser.kill_at(number, schedule())
        if step is None:
            break
        steps.append(step)
        report = governed.log.audit("full")  # between the two, as it may be at any time
        assert (report.status, report.findings) == ("intact", ())
        done, _ = eraser.run(schedule())
        assert (done["failed"], done["refused"], done["overdue"]) == (0, 0, None)
        check(governed, named)
    assert steps == [*["update events", "delete bodies"] * 2, "update events", "update erasures"]
    check(governed, named)
