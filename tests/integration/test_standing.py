"""What a full audit found stands: in the API, whatever incremental audits say of what is new."""

from functools import partial
from typing import cast

import pytest

from eventlog.audit.watch import Watcher
from eventlog.formats.standing import verify_standing
from eventlog.store.interface.standings import StandingStore
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import operations_of
from eventlog.store.mongo.watch import MongoWatch
from eventlog_client import EventLog, RefusedError
from eventlog_client.cli import main
from tests.support.access import Sample
from tests.support.anchored import ORIGIN
from tests.support.standing import ALL, HONEST, ONE, Counted, Tampered


def test_a_finding_stands_until_a_full_audit_is_clean_and_everything_says_so(tampered: Tampered) -> None:
    log = tampered.log
    assert set(tampered.verdicts().values()) == {"intact"}
    before = tampered.get("/chains/b")["standing"]["last_full_audit"]
    found = log.audit_all("full")["b"]
    for _ in range(3):
        log.ahead += 60_000
        assert log.audit_all()["b"].status == "intact"  # it looks at what is new

    names = ["a", "b", "c", "eventlog.registry"]
    assert tampered.verdicts() == dict.fromkeys(names, "intact") | {"b": "tampered"}
    shown = tampered.get("/chains/b")
    assert shown["last_audit"]["status"] == "intact"
    standing = shown["standing"]
    assert (standing["verdict"], standing["findings_total"]) == ("tampered", 1)
    assert standing["last_full_audit"]["audit_id"] == found.audit_id
    assert standing["last_intact"] == before
    (finding,) = standing["findings"]
    assert (finding["kind"], finding["seq"], finding["audit_id"]) == ("content_mismatch", 3, found.audit_id)
    assert (
        before["finished_at"] < finding["found_at"] == standing["since"] <= standing["last_full_audit"]["finished_at"]
    )
    note = verify_standing(standing["note"].encode(), [log.signers[0].public_key], ORIGIN)
    assert (note.verdict, note.findings[0].seq) == ("tampered", 3)

    whole = tampered.get("/standing")
    assert (whole["verdict"], whole["chains"]) == (
        "tampered",
        {"tampered": 1, "incomplete": 0, "not_audited": 0, "intact": 3},
    )
    assert [one["chain"] for one in whole["tampered"]] == ["b"]
    assert whole["database"]["verdict"] == "intact"
    # A caller with one chain learns of no other, and nothing of the database as a whole.
    own = tampered.get("/standing", ONE)
    assert (own["chains"]["tampered"], own["chains"]["intact"], own["database"]) == (1, 0, None)
    assert log.auditor().standings.open_findings() == 1

    tampered.edit(principal=HONEST)
    assert log.audit("full", "b").status == "intact"
    assert set(tampered.verdicts().values()) == {"intact"}
    assert tampered.get("/standing")["verdict"] == "intact"
    assert log.auditor().standings.open_findings() == 0
    assert tampered.check() == []


def test_many_findings_are_counted_those_of_no_event_are_shown_and_a_chain_never_audited_is_no_praise(
    tampered: Tampered,
) -> None:
    log = tampered.log
    log.append(40, "many")
    log.append(2, "new")
    assert log.audit("full", "many").status == "intact"
    operations_of(log.store).events.update_many({"chain": "many"}, {"$set": {"principal": "forged"}})
    next((log.folder / "anchors" / "c").glob("*.note")).unlink()  # a removed anchor is about no event
    for chain in ("many", "c"):
        assert log.audit("full", chain).status == "tampered"
    assert tampered.verdicts() == {
        "a": "intact",
        "b": "intact",
        "c": "tampered",
        "eventlog.registry": "intact",
        "many": "tampered",
        "new": "not_audited",
    }
    many, removed = (tampered.get(f"/chains/{chain}")["standing"] for chain in ("many", "c"))
    assert (many["findings_total"], len(many["findings"])) == (40, 20)
    assert [(one["kind"], one["seq"]) for one in removed["findings"]] == [("checkpoint_missing", None)]
    whole = tampered.get("/standing")
    assert whole["chains"] == {"tampered": 2, "incomplete": 0, "not_audited": 1, "intact": 3}
    first = tampered.get("/standing", limit=1)
    assert ([one["chain"] for one in first["tampered"]], first["next"]) == (["c"], "c")
    second = tampered.get("/standing", limit=1, after="c")
    assert [one["chain"] for one in second["tampered"]] == ["many"]

    # A chain that is gone is in no list of chains; what was found of it is still told by name.
    operations_of(log.store).sequences.delete_one({"_id": "a"})
    operations_of(log.store).events.delete_many({"chain": "a"})
    log.audit("full", "a")
    assert "a" not in tampered.verdicts()
    assert [one["chain"] for one in tampered.get("/standing")["tampered"]] == ["a", "c", "many"]


def test_what_belongs_to_no_chain_and_what_the_watcher_told_stands_too(tampered: Tampered) -> None:
    log = tampered.log
    watcher = partial(Watcher, MongoWatch(log.store), AuditStore(log.store), ORIGIN, standings=log.auditor().standings)
    watcher(anchoring=log.anchoring()).drain(60)
    tampered.edit("a", 2, "forged")
    tampered.edit("a", 2, HONEST)  # undone before any audit looks
    assert [report.chain for report in watcher(anchoring=log.anchoring()).drain(60).reports] == ["a"]
    operations_of(log.store).audits.insert_one({"_id": 7, "chain": "odd"}, bypass_document_validation=True)
    log.audit_all()
    whole = tampered.get("/standing")  # of b the watcher told at its first look, which began at the first anchor
    assert [one["chain"] for one in whole["tampered"]] == ["a", "b"]
    assert [one["kind"] for one in whole["database"]["findings"]] == ["unexpected"]
    assert whole["tampered"][0]["standing"]["findings"][0]["kind"] == "altered"
    log.audit_all()
    operations_of(log.store).audits.delete_one({"_id": 7})
    log.audit_all()
    assert tampered.get("/standing")["database"]["verdict"] == "tampered"
    log.audit_all("full")
    whole = tampered.get("/standing")
    assert [one["chain"] for one in whole["tampered"]] == ["b"]
    assert whole["database"]["verdict"] == "intact"


def test_what_was_found_of_a_chain_that_never_was_is_gone_after_a_full_round_without_it(tampered: Tampered) -> None:
    log, events = tampered.log, operations_of(tampered.log.store).events
    row = events.find_one({"chain": "a", "seq": 1}) or {}
    events.insert_one(row | {"_id": "junk/1", "chain": "junk"})
    assert log.audit_all()["junk"].status == "tampered"
    assert [one["chain"] for one in tampered.get("/standing")["tampered"]] == ["junk"]
    events.delete_one({"_id": "junk/1"})
    for mode, standing in (("incremental", ["junk"]), ("full", ["b"])):
        log.audit_all(mode)
        whole = tampered.get("/standing")
        assert [one["chain"] for one in whole["tampered"]] == standing
        assert sum(whole["chains"].values()) == 4 + (mode == "incremental")


def test_a_page_of_chains_costs_two_queries_and_a_round_nothing_for_chains_without_a_finding(
    tampered: Tampered,
) -> None:
    tampered.get("/chains")  # connections and the like
    for path, allowed in (("/chains", 2), ("/standing", 3)):
        tampered.commands.names.clear()
        tampered.get(path)
        assert len(tampered.commands.names) == 2 * allowed, path  # for both ways

    def cost() -> int:
        """The reads and writes of standings in an incremental round."""
        auditor = tampered.log.auditor()
        counted = Counted(auditor.standings._store)
        auditor.standings._store = cast(StandingStore, counted)
        auditor.audit_all("incremental", 60)
        return counted.calls

    few = cost()
    for number in range(20):
        tampered.log.append(1, f"more-{number:02}")
    assert cost() == few <= 6


def test_the_command_says_what_stands_after_an_audit_of_what_is_new_and_of_a_chain_that_is_damaged_or_gone(
    tampered: Tampered, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log, operations = tampered.log, operations_of(tampered.log.store)
    log.audit("full", "b")
    assert main(["--url", url, "audit", "--chain", "b"]) == 3, "an audit of what is new takes nothing back"
    assert main(["--url", url, "audit", "--chain", "c"]) == 0
    told = capsys.readouterr()
    assert "chain b checked: intact" in told.out
    assert told.err == "eventlog: what was found of chain b before still stands: see eventlog status --chain b.\n"
    everything = {"sequences": {"_id": "b"}, "events": {"chain": "b"}, "checkpoints": {"chain": "b"}}

    def cut() -> None:
        operations.sequences.update_one({"_id": "b"}, {"$unset": {"settled": 1}})

    def remove() -> None:
        operations.sequences.delete_one({"_id": "b"})

    def remove_all() -> None:
        for name, rows in everything.items():
            operations.sequences.database[name].delete_many(rows)

    for damage in (cut, remove, remove_all):
        damage()
        shown = tampered.get("/chains/b")
        assert shown["damaged"] is True, damage.__name__
        assert shown["standing"]["verdict"] == "tampered", damage.__name__
        assert shown["last_audit"]["chain"] == "b", damage.__name__
        key = log.signers[0].public_key
        assert verify_standing(shown["standing"]["note"].encode(), [key], ORIGIN).verdict == "tampered"
        assert main(["--url", url, "status", "--chain", "b"]) == 3, damage.__name__
        assert "Chain b: TAMPERED" in capsys.readouterr().out
        with EventLog(url) as client, pytest.raises(RefusedError, match="damaged"):
            client.chain("b")
    # Of a chain that never was nothing stands, and nobody is told anything of one who may not see it.
    for chain, grant in (("never", ALL), ("a", ONE)):
        answers = [way.call("GET", Sample(f"/api/v1/chains/{chain}"), grant) for way in tampered.ways]
        assert [answer.status for answer in answers] == [404, 404]
