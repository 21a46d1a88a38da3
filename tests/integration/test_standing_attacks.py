"""Whatever is done to what says that something stands, or happens while it is written: nothing turns green."""

from collections.abc import Callable, Sequence

import pytest

from eventlog.anchors.standings import STANDINGS
from eventlog.audit.restore import Restorer
from eventlog.errors import InvalidError
from eventlog.formats.standing import StandingNote, read_standing, sign_standing
from eventlog.store.interface.standings import StandingRow
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import operations_of
from tests.support.anchoring import Key
from tests.support.standing import HONEST, Json, Tampered


def _removed(tampered: Tampered, old: Json) -> None:
    tampered.rows.delete_one({"_id": old["_id"]})


def _put_back(tampered: Tampered, old: Json) -> None:
    tampered.rows.replace_one({"_id": old["_id"]}, old)


def _verdict_changed(tampered: Tampered, old: Json) -> None:
    tampered.rows.update_one({"_id": old["_id"]}, {"$set": {"verdict": "intact"}})


def _made_up(tampered: Tampered, old: Json) -> None:
    """With the key of somebody else, and a time of the future."""
    claimed = read_standing(old["note"].encode())
    claimed = StandingNote(
        **{name: getattr(claimed, name) for name in ("origin", "chain", "full", "intact")}, time=2**47
    )
    note = sign_standing(claimed, [Key(9)]).decode()
    tampered.rows.update_one({"_id": old["_id"]}, {"$set": {"verdict": "intact", "note": note}})


def _of_another_chain(tampered: Tampered, old: Json) -> None:
    note = tampered.row("a")["note"]
    tampered.rows.update_one({"_id": old["_id"]}, {"$set": {"verdict": "intact", "note": note}})


def _damaged(tampered: Tampered, old: Json) -> None:
    tampered.rows.update_one({"_id": old["_id"]}, {"$set": {"note": 7}})


def test_a_standing_that_is_removed_put_back_or_made_up_turns_nothing_green(tampered: Tampered) -> None:
    """Each is put right by the next invocation of the schedule and told, and no incremental audit makes it green."""
    old = tampered.row()
    tampered.log.audit_all("full")
    attacks: list[Callable[[Tampered, Json], None]] = [
        _removed,
        _put_back,
        _verdict_changed,
        _made_up,
        _of_another_chain,
        _damaged,
    ]
    for attack in attacks:
        attack(tampered, old)
        failures = tampered.check()
        assert len(failures) == 1, attack.__name__
        assert failures[0].startswith("b: what the database says of a chain was changed"), attack.__name__
        assert tampered.get("/chains/b")["standing"]["verdict"] == "tampered", attack.__name__
        assert tampered.check() == [], attack.__name__
        # Nor does it when no invocation of the schedule comes in between.
        attack(tampered, old)
        assert tampered.log.audit("incremental", "b").status == "intact"
        assert tampered.log.audit("full", "b").status == "tampered"
        assert tampered.get("/chains/b")["standing"]["verdict"] == "tampered", attack.__name__
    # What is no note of the log among the anchors is passed over, whatever its name claims.
    tampered.log.anchors.create(STANDINGS, f"b-{10**15 - 1}", b"forged")
    assert tampered.check() == []
    assert tampered.get("/standing")["chains"]["tampered"] == 1


def test_a_database_that_refuses_to_keep_it_does_not_have_it_forgotten(tampered: Tampered) -> None:
    database = tampered.rows.database
    refusing = {"validator": {"_id": {"$not": {"$regex": "^standing/b$"}}}, "validationLevel": "strict"}
    honest = database.command({"listCollections": 1, "filter": {"name": "audits"}})["cursor"]["firstBatch"][0][
        "options"
    ]
    database.command({"collMod": "audits"} | refusing)
    try:
        assert tampered.log.audit("full", "b").status == "tampered"
        assert [failure.partition(":")[0] for failure in tampered.check()] == [""]
    finally:
        database.command({"collMod": "audits", "validator": honest.get("validator", {}), "validationLevel": "moderate"})
    assert tampered.verdicts()["b"] == "intact"
    assert [failure.partition(":")[0] for failure in tampered.check()] == ["b"]
    assert tampered.verdicts()["b"] == "tampered"


def test_what_an_audit_had_no_time_to_keep_among_the_anchors_the_next_invocation_keeps(tampered: Tampered) -> None:
    tampered.log.audit_all("full")
    (key,) = tampered.log.anchors.keys(STANDINGS)
    note = tampered.log.folder / "anchors" / STANDINGS / key
    content = note.read_bytes()
    assert content == tampered.row()["note"].encode()
    note.unlink()
    assert tampered.check() == []
    assert [note.read_bytes() for note in note.parent.iterdir()] == [content]


def test_two_audits_at_once_lose_nothing_of_what_either_found(tampered: Tampered) -> None:
    """One reads the standing, the other changes it, and then the first one writes."""
    log = tampered.log
    assert log.audit("full", "b").status == "tampered"
    auditor = log.auditor()
    tampered.edit(principal=HONEST)
    run = auditor.start("b", "full")
    store = auditor.standings._store
    of = store.of
    late: list[str] = []

    def interrupted(chains: Sequence[str]) -> dict[str, StandingRow]:
        found = of(chains)
        if not late:  # just before this one writes that all is well
            late.append("now")
            log.append(1, "b")
            operations_of(log.store).events.update_one({"chain": "b", "seq": 6}, {"$set": {"principal": "forged"}})
            assert log.audit("incremental", "b").status == "tampered"
        return found

    store.of = interrupted  # type: ignore[method-assign]
    assert auditor.run(run, 60).status == "intact"
    standing = tampered.get("/chains/b")["standing"]
    assert (standing["verdict"], [one["seq"] for one in standing["findings"]]) == ("tampered", [6])
    assert standing["last_intact"]["audit_id"] == run.report.audit_id


def test_an_audit_that_leaves_the_anchors_out_has_no_say(tampered: Tampered) -> None:
    """What is left of a chain that was restored is checked alone before its restore is declared."""
    log = tampered.log
    assert log.audit("full", "b").status == "tampered"
    row = tampered.row()
    auditor, audits = log.auditor(), AuditStore(log.store)
    with pytest.raises(InvalidError, match="nothing was lost"):
        Restorer(log.store, audits, log.anchoring(), auditor, clock=log.now).restore("b", "the disk broke")
    assert tampered.row() == row
