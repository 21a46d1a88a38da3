"""A name in the registry that is no chain's: each audit misses it until an operator declares it void, and only then."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.registry import Registry
from eventlog.anchors.strike_offs import strike_off_key
from eventlog.audit.strike_off import Registrar
from eventlog.chain_names import REGISTRY
from eventlog.errors import InvalidError, NotFoundError
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.note import Signer
from eventlog.formats.strike_off import StrikeOff, sign_strike_off, verify_strike_off
from eventlog.settings import Settings
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import operations_of
from eventlog.wiring.connection import Connection
from functions.chain_audit import app as chain_audit
from tests.support.anchored import ORIGIN, AnchoredLog, new_key
from tests.support.auditors import Countdown, DiedError, Dying, Recorder
from tests.support.each import each
from tests.support.factories import draft

MISSED = [("checkpoint_missing", None)]
LINE = origin_line(ORIGIN, REGISTRY)


def plant(log: AnchoredLog, chain: str = "ghost") -> None:
    """What an insider does: append to the registry as it should be done."""
    Registry(log.store, log.now).write(REGISTRY, chain, "eventlog.chain_registered", {"chain": chain})


def said(log: AnchoredLog, mode: str = "incremental") -> dict[str, list[tuple[str, int | None]]]:
    """What audits of all chains find, by chain."""
    return {c: [(f.kind, f.seq) for f in report.findings] for c, report in log.audit_all(mode).items()}


def struck(log: AnchoredLog, **fields: Any) -> StrikeOff:
    """The strike-off of the ghost, as an operator would sign it; parts of it may be others."""
    entry = Registry(log.store, log.now).entries("ghost")[-1]
    values: dict[str, Any] = {"origin": LINE, "chain": "ghost", "seq": entry.seq, "hash": entry.hash} | fields
    return StrikeOff(**values, time=log.now(), reason="never a chain")


@pytest.fixture
def planted(log: AnchoredLog) -> AnchoredLog:
    """A log of one chain, and of one more that only the registry knows."""
    log.append(3)
    log.audit_all()
    plant(log)
    return log


def test_a_planted_name_is_missed_until_it_is_struck_off(planted: AnchoredLog) -> None:
    for mode in ("incremental", "full"):
        assert said(planted, mode) == {"main": [], REGISTRY: [], "ghost": MISSED}
    assert planted.strike_off().status == "intact"
    for mode in ("incremental", "full"):
        assert said(planted, mode) == {"main": [], REGISTRY: []}
    with pytest.raises(NotFoundError):
        planted.audit(chain="ghost")


def test_who_declared_what_stays_in_the_registry_and_beside_its_anchors(planted: AnchoredLog) -> None:
    report = planted.strike_off(reason="a script of 3 May")
    event = operations_of(planted.store).events.find_one({"event_type": "eventlog.chain_struck_off"})
    assert event is not None
    assert (event["chain"], '"chain":"ghost"' in event["payload"]) == (REGISTRY, True)
    assert '"reason":"a script of 3 May"' in event["payload"]
    assert report.anchored_size == event["seq"] + 1
    data = planted.anchors.read(REGISTRY, strike_off_key(struck(planted).hash)) or b""
    note = verify_strike_off(data, [planted.signers[0].public_key])
    entry = Registry(planted.store, planted.now).entries("ghost")[-1]
    assert (note.chain, note.seq, note.hash, note.reason) == ("ghost", entry.seq, entry.hash, "a script of 3 May")


def test_it_is_declared_once_whatever_is_said_again(planted: AnchoredLog) -> None:
    planted.strike_off()
    size = planted.store.chain(REGISTRY).state.size  # type: ignore[union-attr]
    assert planted.strike_off(reason="another").status == "intact"
    assert planted.store.chain(REGISTRY).state.size == size  # type: ignore[union-attr]


def test_what_an_insider_without_the_key_puts_in_place_excuses_nothing(planted: AnchoredLog, tmp_path: Path) -> None:
    """The event alone; notes by another key, of another log, name, entry."""
    Registry(planted.store, planted.now).strike_off(struck(planted))
    assert said(planted)["ghost"] == MISSED
    own, forger = planted.signers, [new_key(tmp_path / "forger")]
    path = tmp_path / "anchors" / REGISTRY / strike_off_key(struck(planted).hash)
    wrong: list[tuple[Sequence[Signer], dict[str, Any]]] = [
        (forger, {}),
        (own, {"origin": origin_line("other.example/log", REGISTRY)}),
        (own, {"origin": origin_line(ORIGIN, "main")}),
        (own, {"hash": bytes(32)}),
    ]
    for signers, fields in wrong:
        planted.anchors.create(REGISTRY, path.name, sign_strike_off(struck(planted, **fields), signers))
        for mode in ("incremental", "full"):
            found = said(planted, mode)
            assert (found["ghost"], found[REGISTRY]) == (MISSED, [("checkpoint_invalid", None)]), fields
        path.unlink()
    genuine: list[dict[str, Any]] = [{"seq": 7}, {"chain": "other"}]  # for entries that were there before
    for fields in genuine:
        planted.anchors.create(REGISTRY, path.name, sign_strike_off(struck(planted, **fields), own))
        assert said(planted)["ghost"] == MISSED
        with pytest.raises(InvalidError, match="something else in the place"):
            planted.strike_off()
        path.unlink()
    assert planted.strike_off().status == "intact"


def test_a_strike_off_beside_another_chain_s_anchors_is_no_name_of_an_anchor(planted: AnchoredLog) -> None:
    planted.anchors.create("main", strike_off_key(bytes(32)), sign_strike_off(struck(planted), planted.signers))
    assert said(planted)["main"] == [("checkpoint_invalid", None)]
    assert said(planted)["ghost"] == MISSED


def test_a_chain_of_which_anything_is_left_can_t_be_struck_off(planted: AnchoredLog) -> None:
    operations: Any = operations_of(planted.store)
    planted.append(2, "real")
    planted.audit_all("full")
    with pytest.raises(InvalidError, match="anchors, copies of anchors, a sequence document, events, reports"):
        planted.strike_off("real")
    for collection, place, left in (
        (operations.sequences, "_id", "anchors, copies of anchors, events, reports"),
        (operations.events, "chain", "anchors, copies of anchors, reports"),
        (operations.audits, "chain", "anchors, copies of anchors$"),
        (operations.checkpoints, "chain", "it: anchors$"),
    ):
        collection.delete_many({place: "real"})
        with pytest.raises(InvalidError, match=left):
            planted.strike_off("real")
    assert list(planted.anchors.keys(REGISTRY, "struck-off-")) == []
    assert operations.events.find_one({"event_type": "eventlog.chain_struck_off"}) is None


@each("chain, reason, error", [("ghost", "", InvalidError), ("ghost", "two\nlines", InvalidError),
      ("ghost", "x" * 501, InvalidError), ("nobody", "x", NotFoundError), (REGISTRY, "x", NotFoundError),
      ("eventlog.key-2", "x", NotFoundError), ("a/b", "x", NotFoundError)])  # fmt: skip
def test_what_can_t_be_declared_changes_nothing(
    planted: AnchoredLog, chain: str, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        planted.strike_off(chain, reason)
    assert list(planted.anchors.keys(REGISTRY, "struck-off-")) == []
    assert planted.store.chain(REGISTRY).state.size == 3  # type: ignore[union-attr]


def test_a_chain_that_gets_the_name_later_counts_and_is_missed_when_it_vanishes(planted: AnchoredLog) -> None:
    planted.strike_off()
    planted.append(2, "ghost")
    for mode in ("incremental", "full", "incremental"):
        assert said(planted, mode) == {"main": [], REGISTRY: [], "ghost": []}
    operations: Any = operations_of(planted.store)
    again = [event["event_id"] for event in operations.events.find({"chain": REGISTRY})]
    assert [name for name in again if name.startswith("eventlog.again-")] == ["eventlog.again-2-ghost"]
    for collection in (operations.events, operations.checkpoints, operations.audits):
        collection.delete_many({"chain": "ghost"})
    operations.sequences.delete_one({"_id": "ghost"})
    for path in (planted.folder / "anchors" / "ghost").iterdir():
        path.unlink()
    assert said(planted)["ghost"] == MISSED


def test_an_id_that_no_chain_can_have_names_none(log: AnchoredLog) -> None:
    log.append(1)
    for name in ("Ghost", "a~2", "x" * 100, "eventlog.ghost", "eventlog.again-2-eventlog.ghost", "eventlog.again-2-"):
        plant(log, name)
    for mode in ("incremental", "full"):
        assert said(log, mode) == {"main": [], REGISTRY: []}


def test_whatever_entry_is_planted_beside_one_that_was_struck_off_can_be_struck_off_too(planted: AnchoredLog) -> None:
    planted.strike_off()
    for number in (2, 3):
        plant(planted, f"eventlog.again-{number}-ghost")
        assert said(planted)["ghost"] == MISSED
        assert planted.strike_off().status == "intact"
        assert said(planted) == {"main": [], REGISTRY: []}


def test_an_event_alone_makes_no_second_entry_of_a_chain(planted: AnchoredLog) -> None:
    entry = Registry(planted.store, planted.now).entries("main")[-1]
    Registry(planted.store, planted.now).strike_off(struck(planted, chain="main", seq=entry.seq, hash=entry.hash))
    planted.append(1)
    assert said(planted)["main"] == said(planted, "full")["main"] == []
    assert Registry(planted.store, planted.now).entries("main") == [entry]


def test_the_function_declares_what_an_operator_asks_of_it(
    planted: AnchoredLog, mongo_uri: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors, key = str(planted.folder / "anchors"), str(planted.folder / "key")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database, origin=ORIGIN, anchors=anchors, signing_keys=key)
    with closing(Connection(settings)) as connection:
        monkeypatch.setattr(chain_audit.app.state, "connection", connection)
        monkeypatch.setattr(chain_audit.app.state, "wirings", {})
        asked = {"source": "eventlog.strike_off", "chain": "ghost", "reason": "never a chain"}
        answer = chain_audit.handler(asked, None)
    assert (answer["chain"], answer["status"]) == (REGISTRY, "intact")
    assert said(planted) == {"main": [], REGISTRY: []}


def dying_registrar(log: AnchoredLog, countdown: Countdown) -> Registrar:
    """A declaration whose steps count; those of the audit after it may die as those of any audit."""
    anchoring = log.anchoring()
    anchors: Any = Dying(log.anchors, countdown)
    signers: Any = [Dying(signer, countdown) for signer in log.signers]
    dying = Anchoring(
        log.store,
        anchoring.tree,
        anchoring.checkpoints,
        anchors,
        signers=signers,
        public_keys=lambda: [signer.public_key for signer in log.signers],
        idle_millis=3_600_000,
    )
    store: Any = Dying(log.store, countdown)
    audits: Any = Dying(AuditStore(log.store), countdown)
    return Registrar(store, audits, dying, log.auditor(), clock=log.now)


def test_wherever_a_strike_off_dies_it_can_be_repeated(log: AnchoredLog) -> None:
    recorder = Recorder(log.signers[0])
    log.signers = [recorder]
    log.store.append("main", [draft()])
    log.audit_all()
    step, died = 0, True
    while died:
        step += 1
        ghost = f"ghost{step}"
        plant(log, ghost)
        try:
            dying_registrar(log, Countdown(step)).strike_off(ghost, "never a chain")
            died = False
        except DiedError:
            assert log.strike_off(ghost).status == "intact"
        with pytest.raises(NotFoundError):
            log.audit(chain=ghost)
        assert log.audit(chain=REGISTRY).status == "intact"
    assert step > 10
    recorder.check()
