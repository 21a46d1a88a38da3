"""What a full audit found stands: in the API, whatever incremental audits say, and whatever is done to what says so."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener, CommandStartedEvent

from eventlog.anchors.standings import STANDINGS
from eventlog.audit.restore import Restorer
from eventlog.audit.watch import Watcher
from eventlog.errors import InvalidError
from eventlog.formats.standing import Standing, read_standing, sign_standing, verify_standing
from eventlog.settings import Settings
from eventlog.store.errors import StoreError
from eventlog.store.interface.standings import STANDING_PREFIX, StandingRow, StandingStore
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.store.mongo.watch import MongoWatch
from tests.support.access import Grant, Sample, ThroughGateway, Way, WithTokens
from tests.support.anchored import HOUR, ORIGIN, AnchoredLog
from tests.support.anchoring import Key

DAY = 24 * HOUR
HONEST = "anonymous"
"""The principal of every event until one is edited."""
ALL = Grant()
ONE = Grant(chains=("b",), name="b's own")
Json = dict[str, Any]


class Commands(CommandListener):
    """Counts what goes to MongoDB."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


class Counted:
    """Counts the calls of a store of standings."""

    def __init__(self, store: StandingStore) -> None:
        self._store = store
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._store, name)


@dataclass
class Heard:
    """``Notices`` that keeps what could not be done."""

    failures: list[str] = field(default_factory=list)

    def found(self, report: Any, new: int) -> None: ...

    def failed(self, what: str, chain: str, error: StoreError) -> None:
        assert str(error)
        self.failures.append(f"{chain}: {what}")


@dataclass
class Tampered:
    """A log of chains a, b and c, fully audited, in which event 3 of b was edited then, and its readers."""

    log: AnchoredLog
    ways: list[Way]
    commands: Commands

    @property
    def rows(self) -> Any:
        return operations_of(self.log.store).audits

    def get(self, path: str, grant: Grant = ALL, **params: Any) -> Json:
        """What both ways answer: the server, and Lambda behind API Gateway."""
        sample = Sample(f"/api/v1{path}", params={name: str(value) for name, value in params.items()})
        first, second = (way.call("GET", sample, grant) for way in self.ways)
        assert first.status == second.status == 200, (first.body, second.body)
        assert first.json() == second.json()
        found: Json = first.json()
        return found

    def verdicts(self) -> dict[str, str]:
        """What the list of chains says."""
        return {found["chain"]: found["standing"]["verdict"] for found in self.get("/chains")["chains"]}

    def edit(self, chain: str = "b", seq: int = 3, principal: str = "forged") -> None:
        events = operations_of(self.log.store).events
        assert events.update_one({"chain": chain, "seq": seq}, {"$set": {"principal": principal}}).matched_count

    def row(self, chain: str = "b") -> Json:
        found: Json = self.rows.find_one({"_id": f"{STANDING_PREFIX}{chain}"})
        return found

    def check(self) -> list[str]:
        """What an invocation of the schedule does first; what it tells."""
        auditor = self.log.auditor()
        heard = auditor.standings._notices = Heard()
        auditor.standings.check()
        return heard.failures


@pytest.fixture
def tampered(
    store: MongoStore, mongo_uri: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tampered]:
    commands = Commands()
    log = AnchoredLog(store, tmp_path)
    for chain in "abc":
        log.append(6, chain)
    log.audit_all("full")
    settings = Settings(mongo_uri=mongo_uri, mongo_database=database)
    monkeypatch.setattr("eventlog.store.mongo.store.MongoClient", partial(MongoClient, event_listeners=[commands]))
    gateway, server = ThroughGateway(settings), WithTokens(settings, tmp_path / "tokens", [ALL, ONE])
    found = Tampered(log, [server, gateway], commands)
    found.edit()
    log.ahead += DAY
    yield found
    for way in (gateway, server):
        way.app.state.connection.close()


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


def _removed(tampered: Tampered, old: Json) -> None:
    tampered.rows.delete_one({"_id": old["_id"]})


def _put_back(tampered: Tampered, old: Json) -> None:
    tampered.rows.replace_one({"_id": old["_id"]}, old)


def _verdict_changed(tampered: Tampered, old: Json) -> None:
    tampered.rows.update_one({"_id": old["_id"]}, {"$set": {"verdict": "intact"}})


def _made_up(tampered: Tampered, old: Json) -> None:
    """With the key of somebody else, and a time of the future."""
    claimed = read_standing(old["note"].encode())
    claimed = Standing(**{name: getattr(claimed, name) for name in ("origin", "chain", "full", "intact")}, time=2**47)
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


def test_what_belongs_to_no_chain_and_what_the_watcher_told_stands_too(tampered: Tampered) -> None:
    log = tampered.log
    watcher = partial(Watcher, MongoWatch(log.store), AuditStore(log.store), ORIGIN, standings=log.auditor().standings)
    watcher(anchoring=log.anchoring()).drain(60)
    tampered.edit("a", 2, "forged")
    tampered.edit("a", 2, HONEST)  # undone before any audit looks
    assert [report.chain for report in watcher(anchoring=log.anchoring()).drain(60).reports] == ["a"]
    operations_of(log.store).audits.insert_one({"_id": 7, "chain": "odd"}, bypass_document_validation=True)
    log.audit_all()
    whole = tampered.get("/standing")
    assert [one["chain"] for one in whole["tampered"]] == ["a"]
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


def test_an_audit_that_leaves_the_anchors_out_has_no_say(tampered: Tampered) -> None:
    """What is left of a chain that was restored is checked alone before its restore is declared."""
    log = tampered.log
    assert log.audit("full", "b").status == "tampered"
    row = tampered.row()
    auditor, audits = log.auditor(), AuditStore(log.store)
    with pytest.raises(InvalidError, match="nothing was lost"):
        Restorer(log.store, audits, log.anchoring(), auditor, clock=log.now).restore("b", "the disk broke")
    assert tampered.row() == row


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
    assert cost() == few <= 3
