"""MongoErasures from the order to the last byte: what dies on the way, what is held, and what must not change."""

from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any
from unittest.mock import patch

import pytest

from eventlog.anchors.orders import append_order
from eventlog.errors import BatchErasedError, ConflictError, InvalidError, NotFoundError
from eventlog.evidence.proofs import Evidence
from eventlog.formats.anchor import verify_anchor
from eventlog.formats.event import ChainState, Keys, is_erased
from eventlog.formats.governance import Erasure
from eventlog.formats.governance_note import sign_order
from eventlog.formats.hashing import genesis
from eventlog.formats.proof import verify_inclusion
from eventlog.formats.search_keys import SearchFields, parse_fields
from eventlog.governance import erasing
from eventlog.governance.erasing import minute_of
from eventlog.ingest.appending import Ingest
from eventlog.store.errors import CorruptionError, IdErasedError
from eventlog.store.group_commit import GroupCommit
from eventlog.store.interface.erasures import ErasingState
from eventlog.store.mongo.erasures import MongoErasures
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.reindex import Progress, Reindexer
from eventlog.store.mongo.store import operations_of
from eventlog.store.mongo.sweep import Sweep
from eventlog.stored.erased import erased_document
from tests.support.anchored import ORIGIN, AnchoredLog, new_key
from tests.support.auditors import Countdown, DiedError
from tests.support.factories import draft
from tests.support.governed import REQUEST, SECRET, GovernedLog, Told
from tests.support.watched import from_now, told_since


@pytest.fixture
def governed(log: AnchoredLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GovernedLog:
    """Five events, of which two have large payloads, and one of them is pending. No minute is that of older orders."""
    monkeypatch.setattr(erasing, "minute_of", lambda _: -1)
    governed = GovernedLog.make(log, tmp_path)
    governed.append("a", "b-large", "c", "d-large")
    log.store.settle("main")
    governed.append("e")
    return governed


def raw(governed: GovernedLog, chain: str = "main") -> list[bytes]:
    governed.log.store.settle(chain)
    found = operations_of(governed.log.store).raw_events.find({"chain": chain}, sort=[("seq", 1)])
    return [bytes(row.raw) for row in found]


def test_an_order_is_anchored_before_anything_is_emptied_and_then_all_of_it_is(governed: GovernedLog) -> None:
    before = raw(governed)
    ordered = governed.erase("a", "b-large", 4, request=REQUEST)
    assert ordered.event is not None
    assert (ordered.replayed, ordered.event.seq, ordered.event.entry.principal) == (False, 5, "privacy")
    assert governed.erasing().run(60).emptied == 0
    assert governed.shown.erasure("main", REQUEST).state == "logged"
    governed.log.audit()
    assert governed.shown.erasure("main", REQUEST).state == "anchored"
    assert governed.audited() == ("intact", 0, 3)
    done = governed.erasing().run(60)
    assert (done.emptied, done.carried_out, done.overdue) == (3, 1, None)
    assert governed.audited() == ("intact", 3, 0)
    assert governed.erased() == ["a", "b-large", "e"]
    expected = [erased_document(old) if seq in {0, 1, 4} else old for seq, old in enumerate(before)]
    assert raw(governed)[:5] == expected
    assert [name.split("/")[1] for name in governed.bodies()] == ["d-large"]
    shown = governed.shown.erasure("main", REQUEST)
    assert (shown.state, shown.erased, shown.held) == ("erased", 3, 0)
    assert governed.erasing().run(60).emptied == 0
    assert MongoErasures(governed.log.store).state("main") == ErasingState("main", 6)


def test_what_was_given_before_verifies_after(governed: GovernedLog) -> None:
    governed.log.audit()
    evidence = Evidence(MongoEvidenceReader(governed.log.store))
    proofs = {name: evidence.proof("main", name, None) for name in ("a", "c")}
    checkpoint = evidence.checkpoint("main").note
    governed.erase("a")
    governed.log.audit()
    governed.erasing().run(60)
    assert governed.erased() == ["a"]
    for name, proof in proofs.items():
        again = evidence.proof("main", name, proof.size)
        assert (again.leaf, again.hashes, again.root) == (proof.leaf, proof.hashes, proof.root)
        verify_inclusion(again.event.hash, proof.event.seq, proof.size, proof.hashes, proof.root)
    assert evidence.checkpoint("main", 5).note == checkpoint
    verify_anchor(checkpoint, [governed.log.signers[0].public_key])


def test_what_can_not_be_erased_is_named_and_nothing_is_logged(governed: GovernedLog) -> None:
    governed.erase("a")
    before = raw(governed)
    with pytest.raises(NotFoundError, match="has no event x, seq 77; nothing was logged"):
        governed.erase("a", "x", 77)
    with pytest.raises(NotFoundError, match="There is no chain other"):
        governed.erase("a", chain="other")
    for own in (5, 1000):
        with pytest.raises((InvalidError, NotFoundError), match=r"/events/1: is one of the log's own|seq 1000"):
            governed.erase("c", own)
    with pytest.raises(InvalidError, match="/reason"):
        governed.erase("c", reason="two\nlines")
    assert raw(governed) == before


def test_a_request_stays_one_however_often_it_comes(governed: GovernedLog) -> None:
    first = governed.erase("a", "c", request=REQUEST)
    governed.log.ahead += 5000
    again = governed.erase("c", 0, "a", request=REQUEST)
    assert (again.replayed, again.event) == (True, first.event)
    for by, reason in (("privacy", "another"), ("somebody else", "request 118")):
        with pytest.raises(ConflictError, match="with other content"):
            governed.erase("a", "c", request=REQUEST, by=by, reason=reason)
    with pytest.raises(ConflictError, match="with other content"):
        governed.erase("a", request=REQUEST)
    governed.log.audit()
    governed.erasing().run(60)
    assert governed.erase("a", "c", request=REQUEST).replayed


def test_a_second_person_approves_before_anything_is_signed(governed: GovernedLog) -> None:
    governed.approvals = 2
    assert governed.erase("a", request=REQUEST).event is None
    assert [shown.order.request for shown in governed.shown.waiting("main")] == [REQUEST]
    with pytest.raises(ConflictError, match="somebody else has to approve"):
        governed.ordering().approve("main", REQUEST, "privacy")
    with pytest.raises(NotFoundError):
        governed.ordering().approve("main", REQUEST.replace("1", "2"), "officer")
    governed.log.audit()
    assert governed.erasing().run(60).emptied == 0
    done = governed.ordering().approve("main", REQUEST, "officer")
    assert isinstance(done.order, Erasure)
    assert (done.order.by, done.order.approved) == ("privacy", "officer")
    assert governed.ordering().approve("main", REQUEST, "another").event == done.event
    assert governed.erase("a", request=REQUEST).event == done.event
    assert list(governed.shown.waiting("main")) == []
    governed.log.audit()
    governed.erasing().run(60)
    assert governed.erased() == ["a"]


def test_a_hold_stops_orders_and_what_was_ordered_before_it(governed: GovernedLog) -> None:
    """It is looked at when an erasure is ordered, and again when it is carried out."""
    governed.erase("a", "c", request=REQUEST)
    ordering = governed.ordering()
    held = ordering.hold(governed.asking(), (0, 2), None)
    with pytest.raises(ConflictError, match="a hold is in force") as refused:
        governed.erase("b-large")
    assert refused.value.problems[0].pointer == "/events/0"
    governed.log.audit()
    done = governed.erasing().run(60)
    assert (done.emptied, done.held, done.carried_out, done.overdue) == (1, 1, 0, None)
    assert governed.erased() == ["c"]
    assert governed.shown.erasure("main", REQUEST)[2:] == ("anchored", 1, 1)
    with pytest.raises(NotFoundError, match="There is no hold"):
        ordering.release(governed.asking(), REQUEST)
    ordering.release(governed.asking(), held.order.request)
    governed.erase("b-large")
    governed.log.audit()
    governed.erasing().run(60)
    assert governed.erased() == ["a", "b-large", "c"]
    assert [each.in_force(0) for each in ordering.holds("main").all] == [False]


def test_a_hold_that_is_set_while_a_round_is_under_way_counts(governed: GovernedLog) -> None:
    for name in ("a", "c"):
        governed.erase(name)
    governed.log.audit()
    under_way, erase = governed.erasing(), MongoErasures.erase

    def hold_then_erase(store: MongoErasures, events: Any) -> int:
        """Somebody gets the answer 201 after the first order was looked at, and before it is carried out."""
        if not governed.ordering().holds("main").all:
            governed.ordering().hold(governed.asking(), (2, 3), None)
        return erase(store, events)

    with patch.object(MongoErasures, "erase", hold_then_erase):
        done = under_way.run(60)
    assert (done.emptied, done.held, governed.erased()) == (1, 1, ["a"])


def test_a_hold_ends_at_its_time(governed: GovernedLog) -> None:
    governed.ordering().hold(governed.asking(), None, governed.log.now() + 60_000)
    with pytest.raises(ConflictError, match="a hold is in force"):
        governed.erase("a")
    governed.log.ahead += 60_001
    governed.erase("a")


def test_an_order_that_no_governance_key_signed_is_not_carried_out_and_told(
    governed: GovernedLog, tmp_path: Path
) -> None:
    events = governed.events()
    forged: dict[str, Any] = {"origin": ORIGIN, "chain": "main", "request": REQUEST, "by": "x", "reason": "r"}
    forged |= {"basis": "b", "targets": ((0, events[0].hash),)}
    for time, signer in enumerate((new_key(tmp_path / "other"), governed.log.signers[0])):
        order = Erasure(**forged, time=time)
        append_order(governed.log.store, order, sign_order(order, [signer]), 1)
    governed.erase("c")
    assert [finding.kind for finding in governed.log.audit().findings] == ["erasure_invalid"] * 2
    told = Told()
    done = governed.erasing(told).run(60)
    assert (done.refused, told.refused) == (2, [("main", 5), ("main", 6)])
    # While that stands nothing is anchored, so what was ordered after it waits, too.
    assert (governed.erased(), done.overdue is None) == ([], False)
    assert MongoErasures(governed.log.store).state("main").waiting == (5, 6, 7)


def test_an_event_that_is_another_one_by_now_is_left_alone(governed: GovernedLog) -> None:
    governed.erase("a", "c")
    governed.log.audit()
    events = operations_of(governed.log.store).events
    events.update_one({"chain": "main", "seq": 0}, {"$set": {"hash": bytes(32)}})
    governed.erasing().run(60)
    assert governed.erased() == ["c"]


def test_wherever_ordering_and_erasing_die_they_go_on(governed: GovernedLog) -> None:
    """Before each write to the database, to the anchors' place and by the key; the last one before is the one after."""
    step, waiting = 0, list[str]()
    while True:
        step += 1
        name, request = f"v{step}-large", f"01936f00-0000-7000-8000-{step:012}"
        governed.append(name)
        try:
            governed.erase(name, request=request, ordering=governed.ordering(Countdown(step)))
        except DiedError:
            waiting.append(name)
        else:
            break
        if step % 2:  # the caller asks again, as it had no answer; or the schedule goes on with what was begun
            assert governed.erase(name, request=request).event is not None
        else:
            governed.erasing().run(60)
            if name not in _named(governed):
                assert governed.erase(name, request=request).event is not None
    assert step == 12
    orders = [event.entry.event_id for event in governed.events() if event.entry.event_type == "eventlog.erasure"]
    assert len(orders) == len(set(orders)) == step
    governed.log.audit()
    carrying = 0
    while True:
        carrying += 1
        try:
            governed.erasing(countdown=Countdown(carrying)).run(60)
        except DiedError:
            continue
        break
    assert carrying == 32
    assert governed.erased() == [f"v{number}-large" for number in range(1, step + 1)]
    assert [name.split("/")[1] for name in governed.bodies()] == [
        *("b-large", "d-large"),
        *(
            event.entry.event_id
            for event in governed.events()
            if event.entry.event_id in orders and event.entry.payload_bytes
        ),
    ]


def _named(governed: GovernedLog) -> set[str]:
    seqs = {seq for shown in governed.shown.erasures("main", 100, None)[0] for seq, _ in shown.order.targets}
    return {event.entry.event_id for event in governed.events() if event.seq in seqs}


Backup = dict[str, list[dict[str, Any]]]
HELD = ("events", "sequences", "bodies", "checkpoints", "audits", "erasures")


def back_up(governed: GovernedLog) -> Backup:
    database = operations_of(governed.log.store).events.database
    return {name: list(database[name].find()) for name in HELD}


def put_back(governed: GovernedLog, backup: Backup) -> None:
    database = operations_of(governed.log.store).events.database
    for name in HELD:
        database[name].delete_many({})
        if backup[name]:
            database[name].insert_many(backup[name])


def test_whichever_backup_is_restored_what_was_ordered_is_erased_again(governed: GovernedLog) -> None:
    governed.log.audit()
    backups = [back_up(governed)]
    governed.erase("a", "b-large", request=REQUEST)
    backups.append(back_up(governed))
    governed.log.audit()
    backups.append(back_up(governed))
    operations_of(governed.log.store).events.update_one(
        {"chain": "main", "seq": 0}, {"$set": {"payload": "", "salt": b""}}
    )
    backups.append(back_up(governed))
    governed.erasing().run(60)
    backups.append(back_up(governed))
    # The order is anchored by now, so a backup from before that was lost has to be declared; the others go on.
    for number, backup in reversed(list(enumerate(backups))):
        put_back(governed, backup)
        if number == 0:
            assert governed.shown.erasures("main", 9, None)[0] == []
            governed.restore()
        if number == 1:
            governed.log.audit()
        governed.erasing().run(60)
        assert governed.erased() == ["a", "b-large"], number
        assert [name.split("/")[1] for name in governed.bodies()] == ["d-large"], number
        assert len(governed.shown.erasures("main", 9, None)[0]) == 1
        assert governed.erase("a", "b-large", request=REQUEST).replayed
        assert governed.audited() == ("intact", 2, 0), number


def test_what_alone_was_put_back_is_erased_again_within_a_day(
    governed: GovernedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of a backup, and not how far erasing had come: each order is looked at again once a day."""
    backup = back_up(governed)
    governed.erase("a", "b-large", request=REQUEST)
    governed.log.audit()
    governed.erasing().run(60)
    database = operations_of(governed.log.store).events.database
    for row in sorted(backup["events"], key=lambda row: row["seq"])[:2]:
        database.events.replace_one({"_id": row["_id"]}, row)
    database.bodies.insert_many(row for row in backup["bodies"] if "b-large" in row["_id"])
    assert governed.audited() == ("intact", 0, 2)
    emptied = list[int]()
    monkeypatch.setattr(erasing, "minute_of", lambda _: 7)
    for minute in (6, 7, 8):
        governed.log.ahead += (minute * 60_000 - governed.log.now()) % (24 * 3_600_000)
        done = governed.erasing().run(60)
        emptied.append(done.emptied)
        assert (done.carried_out, done.held, done.failed) == (0, 0, 0)
    assert (emptied, governed.erased()) == ([0, 2, 0], ["a", "b-large"])
    assert [name.split("/")[1] for name in governed.bodies()] == ["d-large"]


def test_each_chain_has_a_minute_of_the_day_in_which_older_orders_are_looked_at_again() -> None:
    minutes = {minute_of(f"chain-{number}") for number in range(2000)}
    assert (min(minutes) >= 0, max(minutes) < 24 * 60, len(minutes) > 720) == (True, True, True)


def test_a_settler_that_was_slow_finds_an_erased_event_to_be_the_one_it_settles(governed: GovernedLog) -> None:
    governed.append("f", "g-large")
    operations = operations_of(governed.log.store)
    image = operations.read_sequence("main")
    assert image is not None
    pending = list(image.events())
    events = governed.events()
    named = [event for event in events if event.entry.event_id in {"e", "f", "g-large"}]
    MongoErasures(governed.log.store).erase(named)
    with operations.session() as session:
        operations.insert(pending, session)
        other = [event._replace(entry=draft(event.entry.event_id).entry) for event in pending]
        with pytest.raises(CorruptionError):
            operations.insert(other, session)
    assert governed.erased() == ["e", "f", "g-large"]


def test_the_id_of_an_erased_event_is_gone_for_appends(governed: GovernedLog) -> None:
    given = draft("a", payload={"name": SECRET})
    MongoErasures(governed.log.store).erase(governed.events()[:1])
    log = GroupCommit(governed.log.store.append)
    with pytest.raises(IdErasedError) as one:
        log.append("main", [given])
    with pytest.raises(BatchErasedError) as batch:
        Ingest(log).batch([draft("new"), given])
    assert (one.value.ids, batch.value.problems[0].pointer) == (["a"], "/1/event_id")
    assert governed.log.store.get("main", "new") is None


def test_keys_go_with_the_payload_and_the_chain_counts_as_indexed(governed: GovernedLog) -> None:
    fields = SearchFields(parse_fields("name=/name").fields, 1)
    ordering, store = governed.ordering(), governed.log.store
    governed.events()
    store.make_search_indexes()
    Reindexer(store, fields).run("main", Progress())
    events = governed.events()
    slow = Reindexer(store, SearchFields(fields.fields, 2))
    late = [slow._change(event) for event in events]  # it has read them with their payloads
    ordering.store.erase(events[:2])
    assert [event.entry.keys for event in governed.events()[:3]] == [
        Keys(1, ()),
        Keys(1, ()),
        Keys(1, (f"name:{SECRET}",)),
    ]
    operations_of(store).events.bulk_write(late, ordered=False)
    assert [event.entry.keys for event in governed.events()[:2]] == [Keys(1, ())] * 2
    slow.run("main", progress := Progress())
    assert (progress.indexed, progress.left) == (2, {})
    assert [event.entry.keys for event in governed.events()[:3]] == [
        Keys(2, ()),
        Keys(2, ()),
        Keys(2, (f"name:{SECRET}",)),
    ]


def test_the_watcher_says_nothing_of_what_erasing_does(governed: GovernedLog) -> None:
    events = governed.events()
    before = from_now(governed.log.store)
    erasures = MongoErasures(governed.log.store)
    erasures.accept("main", REQUEST)
    erasures.erase(events)
    erasures.reached(ErasingState("main", 7, (3,)))
    assert told_since(governed.log.store, before) == []
    assert Sweep(operations_of(governed.log.store)).remove() == 0


def test_erasing_goes_on_beside_appends_and_settling(governed: GovernedLog) -> None:
    """Each event is erased or whole, in its place, and what was acknowledged is there."""
    stop, appended = Flag(), list[str]()

    def append() -> None:
        while not stop.is_set():
            name = f"w{len(appended)}{'-large' if len(appended) % 7 == 0 else ''}"
            governed.append(name)
            appended.append(name)

    writer = Thread(target=append)
    writer.start()
    try:
        for number in range(6):
            names = [*appended[-20:], ("a", "b-large", "c", "d-large", "e", "a")[number]]
            governed.erase(*names)
            governed.log.audit()
            governed.erasing().run(60)
    finally:
        stop.set()
        writer.join()
    governed.log.audit()
    governed.erasing().run(60)
    events = governed.events()
    expected = ChainState(0, genesis(ORIGIN, "main"))
    assert [event.hash for event in expected.extend(event.entry for event in events)] == [
        event.hash for event in events
    ]
    assert {*appended} <= {event.entry.event_id for event in events}
    named = {event.entry.event_id for event in events if is_erased(event.entry)}
    assert named == _named(governed) >= {"a", "b-large", "c", "d-large", "e"}
    assert governed.audited() == ("intact", len(named), 0)


def test_a_finding_keeps_later_orders_from_being_carried_out_and_not_those_that_were_anchored(
    governed: GovernedLog,
) -> None:
    governed.erase("a")
    governed.log.audit()
    operations_of(governed.log.store).events.update_one(
        {"chain": "main", "seq": 2}, {"$set": {"principal": "somebody"}}
    )
    assert governed.log.audit("full").status == "tampered"
    governed.erase("d-large")
    governed.log.audit("full")
    governed.erasing().run(60)
    assert governed.erased() == ["a"]
