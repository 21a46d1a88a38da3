"""Every database write fails in both ways, not applied and applied but reported failed: nothing is lost or doubled."""

from collections.abc import Callable
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect

from eventlog.store.errors import ChainLostError, StoreUnavailableError
from eventlog.store.interface import Draft, Placed
from eventlog.store.mongo import append, settle
from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PENDING_LIMIT, UnknownOutcomeError
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from eventlog.stored.bodies import APART_FROM
from tests.integration.writer import CHAIN, ORIGIN, audit, check_chain, receipt
from tests.support.factories import draft

Client = MongoClient[dict[str, Any]]

UNKNOWN = [UnknownOutcomeError(in_flight=True), UnknownOutcomeError(in_flight=False)]
FAILED = [AutoReconnect("connection lost"), StoreUnavailableError("not acknowledged")]
FAULTS = [("push", error) for error in UNKNOWN] + [
    (step, error) for step in ("create", "insert_bodies", "insert", "trim", "trim_all") for error in FAILED
]

CASES = [
    (step, error, how)
    for step, error in FAULTS
    for how in ("not-applied", "applied", "late")
    if how != "late" or getattr(error, "in_flight", True)  # what is over is not applied later
]


class Faulty(Operations):
    """One step fails once, when armed: before it reaches the server, after it did, or it arrives there late."""

    armed = ""
    how = ""
    error: Exception
    late: tuple[Callable[..., Any], Any]

    def arm(self, step: str, error: Exception, how: str) -> None:
        self.armed, self.error, self.how = step, error, how

    def arrive_late(self) -> None:
        """What failed, and nobody waits for any more, comes to the server after all."""
        step, (first, *rest) = self.late
        with self.session() as session:
            step(first, *(session if isinstance(argument, ClientSession) else argument for argument in rest))

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name == "armed" or name != self.armed:
            return found

        def fail(*args: Any) -> Any:
            self.armed = ""
            self.late = found, args
            if self.how == "applied":
                found(*args)
            raise self.error

        return fail


@pytest.fixture
def faulty(client: Client, database: str) -> Faulty:
    return Faulty(client, database)


@pytest.fixture
def failing(faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> MongoStore:
    monkeypatch.setattr(settle, "BLOCK", 1)
    return MongoStore(faulty, ORIGIN)


def leave_behind(operations: Operations, event_id: str, **fields: Any) -> None:
    """A push whose writer died: its entry waits for long."""
    assert operations.push(CHAIN, [draft(event_id, received_at=1_000, **fields).entry], None) is not None


def prepare(store: MongoStore, step: str) -> list[Placed]:
    """What was there before the fault, such that an append comes to the step."""
    if step == "create":
        return []
    placed = store.append(CHAIN, [draft("known")])
    store.settle(CHAIN)
    return placed


LARGE = {"text": "x" * APART_FROM}
"""A payload that is stored apart from its event."""


def make_drafts(step: str, chosen: bool, batch: bool) -> list[Draft]:
    """What is appended; in a batch one event has a large payload, and a single event where its insert fails."""
    if not batch:
        return [draft("new" if chosen else None, payload=LARGE if step == "insert_bodies" else {"n": 1})]
    if not chosen:
        return [draft(payload=LARGE if number == 1 else {"n": 1}) for number in range(3)]
    return [draft("new", payload=LARGE), draft("newer" if step == "create" else "known"), draft("newest")]


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
@pytest.mark.parametrize("chosen", [False, True], ids=["made-id", "chosen-id"])
@pytest.mark.parametrize(("step", "error", "how"), CASES, ids=lambda value: str(getattr(value, "in_flight", value)))
def test_a_write_that_fails_loses_and_doubles_nothing(
    store: MongoStore,
    faulty: Faulty,
    failing: MongoStore,
    monkeypatch: pytest.MonkeyPatch,
    *,
    step: str,
    error: Exception,
    how: str,
    chosen: bool,
    batch: bool,
) -> None:
    receipts = [receipt(p) for p in prepare(store, step)]
    drafts = make_drafts(step, chosen, batch)
    if step == "trim":
        assert operations_of(store).push(CHAIN, [draft("waiting").entry], None)
    faulty.arm(step, error, how)
    acknowledged: list[Placed] = []
    is_left_open = step == "push" and getattr(error, "in_flight", True) and not chosen and how != "applied"
    if is_left_open:  # it waits for what may still come; any other append would give up on a slow machine, too
        monkeypatch.setattr(append, "_DEADLINE_SECONDS", 0.5)
    try:
        acknowledged = failing.append(CHAIN, drafts)
    except StoreUnavailableError:
        assert step == "create" or is_left_open
    assert not faulty.armed, "the append did not come to this step"
    receipts += [receipt(p) for p in acknowledged]
    if how == "late":
        faulty.arrive_late()
    if chosen:
        again = store.append(CHAIN, make_drafts(step, chosen, batch))
        assert all(p.replayed for p in again) or not acknowledged
        receipts += [receipt(p) for p in again]
    receipts += [receipt(p) for p in store.append(CHAIN, [draft()])]
    if how == "late" and (chosen or step != "push"):  # idempotent or refused; nobody sends a push without bound twice
        faulty.arrive_late()
    size = check_chain(store, receipts)
    known = len({r["id"] for r in receipts}) + (step == "trim")
    if acknowledged or how == "not-applied" or step == "create":
        assert size == known
    else:  # it arrived after nobody waited for it any more: in, but never acknowledged
        assert size == known + len(drafts)


@pytest.mark.parametrize("event_id", [None, "new"], ids=["made-id", "chosen-id"])
def test_a_push_that_was_refused_and_then_failed_though_applied_is_not_made_again(
    store: MongoStore, faulty: Faulty, monkeypatch: pytest.MonkeyPatch, event_id: str | None
) -> None:
    store.append(CHAIN, [draft("known")])
    pushes = []

    def push(*args: Any) -> Any:
        pushes.append(args)
        if len(pushes) == 1:
            return None
        image = Operations.push(faulty, *args)
        if len(pushes) == 2:
            raise UnknownOutcomeError(in_flight=False)
        return image

    monkeypatch.setattr(faulty, "push", push)
    (placed,) = MongoStore(faulty, ORIGIN).append(CHAIN, [draft(event_id)])
    assert len(pushes) == 2
    assert check_chain(store, [receipt(placed)]) == 2


@pytest.mark.parametrize("event_id", [None, "new"], ids=["made-id", "chosen-id"])
def test_a_push_refused_for_too_much_pending_gets_through_after_settling(
    store: MongoStore, event_id: str | None
) -> None:
    store.append(CHAIN, [draft("known")])
    for name in ("large", "larger"):
        leave_behind(operations_of(store), name, payload={"text": "x" * (PENDING_LIMIT * 2 // 3)})
    assert operations_of(store).push(CHAIN, [draft().entry], None) is None
    (placed,) = store.append(CHAIN, [draft(event_id)])
    assert placed.event.seq == 3
    assert check_chain(store, [receipt(placed)]) == 4


@pytest.mark.parametrize("event_id", [None, "known", "new"])
def test_nothing_is_stored_in_a_chain_that_lost_its_sequence_document(store: MongoStore, event_id: str | None) -> None:
    store.append(CHAIN, [draft("known")])
    sequence = operations_of(store).sequences.find_one_and_delete({"_id": CHAIN})
    if event_id == "known":
        assert store.append(CHAIN, [draft("known")])[0].replayed
    else:
        with pytest.raises(ChainLostError):
            store.append(CHAIN, [draft(event_id)])
    assert operations_of(store).sequences.count_documents({}) == 0
    assert operations_of(store).events.count_documents({}) == 1
    assert sequence is not None
    operations_of(store).sequences.insert_one(sequence)
    assert check_chain(store, [receipt(store.append(CHAIN, [draft(event_id)])[0])]) == (1 if event_id == "known" else 2)


@pytest.mark.parametrize("same_id", [False, True], ids=["same-seq", "same-seq-and-id"])
def test_a_row_planted_in_the_next_event_s_place_stops_no_append_and_is_found(
    store: MongoStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, same_id: bool
) -> None:
    monkeypatch.setattr(settle, "BLOCK", 1)
    store.append(CHAIN, [draft("known")])
    store.settle(CHAIN)
    chain = store.chain(CHAIN)
    assert chain is not None
    (planted,) = chain.state.extend([draft("new" if same_id else "planted", payload={"n": 2}).entry])
    operations_of(store).raw_events.insert_one(RawBSONDocument(codec.encode_event(planted)))
    (placed,) = store.append(CHAIN, [draft("next" if same_id else "new")] if not same_id else [draft()])
    assert "settling chain main: another event stands in the place" in caplog.text
    assert (placed.event.seq, placed.replayed) == (1, False)
    assert store.get(CHAIN, placed.event.entry.event_id) == placed.event
    report = audit(store)
    assert [(f.kind, f.seq) for f in report.findings] == [("unexpected", 1)]
    assert store.append(CHAIN, [draft()])[0].event.seq == 2
    operations_of(store).events.delete_one({"chain": CHAIN, "seq": planted.seq})
    assert check_chain(store, [receipt(placed)]) == 3
