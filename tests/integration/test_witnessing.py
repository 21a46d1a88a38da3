"""A log that asks witnesses over HTTP, ours: what is kept and served, what they find, and what accuses nobody."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient

from eventlog.anchors.registry import REGISTRY
from eventlog.errors import InvalidError
from eventlog.evidence.proofs import Evidence
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint
from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.note import VerifierKey, format_note, parse_note, sign_note
from eventlog.formats.policy import parse_policy
from eventlog.formats.witness_protocol import AddCheckpoint, format_request
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import open_log, operations_of
from eventlog_client.errors import NotWitnessedError
from eventlog_client.witness_server import WitnessServer
from eventlog_client.witnesses import Witnesses
from tests.support.anchored import ORIGIN, AnchoredLog, kinds, new_key
from tests.support.witness_servers import FRESH, AskingLog, policy_of, running, witness_of
from tests.support.witnesses import ed25519

W = ed25519("witness.example/w1", 1)


@pytest.fixture
def asking(log: AnchoredLog) -> AskingLog:
    return AskingLog(log, ("main",))


@pytest.fixture
def server(asking: AskingLog, tmp_path: Path) -> Iterator[WitnessServer]:
    """A witness of the policy, which knows chain main and the registry."""
    with witness_of(tmp_path / "witness", W, asking.key(), asking.key(REGISTRY)) as server:
        asking.policy.write_bytes(policy_of(("w0", W, server.url)))
        yield server


def served(asking: AskingLog, chain: str = "main") -> bytes:
    """The checkpoint as clients get it."""
    return Evidence(MongoEvidenceReader(asking.log.store)).checkpoint(chain).note


def times(asking: AskingLog) -> list[int]:
    return [each.time for each in verify_cosignatures(parse_note(served(asking)), [W.key])]


def roll_back(asking: AskingLog, rows: dict[str, list[Any]], anchors: Path | None = None) -> None:
    """Put the database back, and with a copy of the anchors these too."""
    if anchors is not None:
        shutil.rmtree(asking.log.folder / "anchors")
        shutil.copytree(anchors, asking.log.folder / "anchors")
    database = operations_of(asking.log.store).events.database
    for name, documents in rows.items():
        database[name].delete_many({})
        database[name].insert_many(documents)


def backup(asking: AskingLog, to: Path) -> dict[str, list[Any]]:
    shutil.copytree(asking.log.folder / "anchors", to)
    database = operations_of(asking.log.store).events.database
    names = ("events", "sequences", "checkpoints", "cosignatures", "audits")
    return {name: list(database[name].find()) for name in names}


def cut_back(asking: AskingLog, tmp_path: Path) -> dict[str, list[Any]]:
    """Put a database of 5 events back whose witness has cosigned 9; the rows of that."""
    asking.log.append(5)
    asking.round()
    rows = backup(asking, tmp_path / "backup")
    asking.log.append(4)
    asking.round()
    roll_back(asking, rows)
    return rows


def try_again(asking: AskingLog) -> None:
    """Let the time go by after which a witness is asked again."""
    change = {"next_try": "$since", "asked_at": {"$subtract": ["$asked_at", FRESH]}}
    operations_of(asking.log.store).audits.update_many({"_id": {"$regex": "^witness/"}}, [{"$set": change}])


@pytest.mark.usefixtures("server")
def test_each_anchor_is_cosigned_once_kept_in_both_places_and_served(asking: AskingLog) -> None:
    asking.chains = ()
    asking.log.append(5)
    first = asking.round()
    assert (first.reports, first.sizes) == ([], {"main": 5, REGISTRY: 2})
    assert {record.state for record in first.records} == {"cosigning"}
    assert len(times(asking)) == 1
    kept = asking.log.folder / "anchors" / "_cosignatures" / "main" / "000000000001.sigs"
    assert served(asking) == asking.log.anchors.read("main", "000000000001.note") + kept.read_bytes()  # type: ignore[operator]
    assert (asking.record().size, asking.record().failures) == (5, 0)

    # Nothing is new, so nobody is asked; after a while the same again, which is no new line.
    asked = len(asking.asked)
    asking.round()
    assert len(asking.asked) == asked
    asking.log.append(4)
    report = asking.audit_all()["main"]
    assert (report.witnessed_size, [(each.name, each.size, each.state) for each in report.witnesses]) == (
        5,
        [("w0", 5, "cosigning")],
    )
    assert asking.round().sizes["main"] == 9
    assert (len(asking.asked), len(times(asking))) == (asked + 2, 1)  # and the registry
    assert [row["_id"] for row in operations_of(asking.log.store).cosignatures.find({"chain": "main"})] == [
        f"main/{number:012}/{W.key.key_id.hex()}" for number in (1, 2)
    ]


@pytest.mark.usefixtures("server")
def test_a_quiet_chain_is_shown_to_its_witness_again_after_a_while(asking: AskingLog) -> None:
    asking.log.append(5)
    asking.round()
    asked = len(asking.asked)
    record = asking.record()
    try_again(asking)
    assert asking.round().reports == []
    assert len(asking.asked) == asked + 1
    try_again(asking)
    asking.witnessing().round([])  # a round that leaves idle chains alone asks all the same
    assert len(asking.asked) == asked + 2
    assert (asking.record().asked_at or 0) >= (record.asked_at or 0)
    assert operations_of(asking.log.store).cosignatures.count_documents({"chain": "main"}) == 1


@pytest.mark.usefixtures("server")
def test_only_the_wanted_chains_are_witnessed(asking: AskingLog) -> None:
    asking.chains = ("mai*",)
    asking.log.append(2)
    asking.log.append(2, "other")
    assert asking.round().sizes == {"main": 2}


def test_a_witness_that_does_not_know_the_log_is_left_alone_for_an_hour(
    asking: AskingLog, server: WitnessServer
) -> None:
    asking.chains = ("other",)
    asking.log.append(2, "other")
    outcome = asking.round()
    assert (outcome.reports, outcome.sizes, [record.state for record in outcome.records]) == ([], {}, ["unknown"])
    asking.log.append(2, "other")
    asking.round()
    assert len(asking.asked) == 1
    server.state.add_log(asking.key("other"))
    try_again(asking)
    assert asking.round().sizes == {"other": 4}


@pytest.mark.usefixtures("server")
def test_a_rollback_of_database_and_anchors_is_found_by_the_round_and_by_every_audit_after_it(
    asking: AskingLog, tmp_path: Path
) -> None:
    asking.log.append(5)
    asking.round()
    rows = backup(asking, tmp_path / "backup")
    asking.log.append(4)
    asking.round()
    roll_back(asking, rows, tmp_path / "backup")
    asking.log.append(1)
    (report,) = asking.round().reports
    assert (report.chain, kinds(report)) == ("main", [("truncated", 6)])
    assert asking.record().state == "ahead"
    # Nobody need be asked again for it: what the witness has shown is found until the chain extends it.
    for mode in ("incremental", "full"):
        auditor = asking.log.auditor()
        auditor._running.witnessed = asking.witnessed()
        again = next(each for each in auditor.audit_all(mode, 60) if each.chain == "main")
        assert (mode, kinds(again)) == (mode, [("truncated", 6)])


def test_a_declared_restore_is_a_new_log_to_witnesses_and_no_finding(
    asking: AskingLog, server: WitnessServer, tmp_path: Path
) -> None:
    asking.chains = ("main",)
    cut_back(asking, tmp_path)
    assert asking.round().reports == []  # the audit itself finds it, and anchors nothing
    asking.log.restore()
    assert (asking.round().reports, asking.record().state) == ([], "unknown")
    server.state.add_log(VerifierKey(f"{ORIGIN}/main~2", asking.key().public_key))
    try_again(asking)
    assert (asking.round().reports, asking.record().state) == ([], "cosigning")
    assert kinds(asking.audit_all()["main"]) == []


@pytest.mark.usefixtures("server")
def test_no_restore_is_declared_that_would_hide_an_anchor_which_a_witness_alone_still_shows(
    asking: AskingLog, tmp_path: Path
) -> None:
    """The last anchor is removed with its copy, its claim stays, and the chain is cut back to the anchor before."""
    cut_back(asking, tmp_path)
    note = asking.log.folder / "anchors" / "main" / "000000000002.note"
    removed = note.read_bytes()
    note.unlink()
    try_again(asking)
    asking.round()
    assert asking.record().state == "ahead"
    before, files = asking.log.store.chain("main"), asking.log.files()
    with pytest.raises(
        InvalidError, match=r"w0 shows a checkpoint of 9 events .*, and it is none of the anchors"
    ) as refused:
        asking.log.restore(witnessed=asking.witnessed())
    assert [problem.pointer for problem in refused.value.problems] == ["/chain"]
    assert (asking.log.store.chain("main"), asking.log.files()) == (before, files)
    assert ("truncated", 5) in kinds(asking.audit_all()["main"])

    # Once it is found again, the restore says in public what was lost.
    note.write_bytes(removed)
    asking.log.restore(witnessed=asking.witnessed())
    assert asking.log.files()[-1] == "restore-0002.note"
    assert kinds(asking.audit_all()["main"]) == []


@pytest.mark.usefixtures("server")
def test_no_restore_hides_that_another_anchor_stands_in_the_place_of_one_that_a_witness_shows(
    asking: AskingLog, tmp_path: Path
) -> None:
    """It is larger, and of another history, which the log itself has anchored once the first was gone."""
    rows = cut_back(asking, tmp_path)
    for path in (asking.log.folder / "anchors" / "main").glob("*000000000002*"):
        path.unlink()
    asking.log.append(7)
    try_again(asking)
    assert [kinds(report) for report in asking.round().reports if report.chain == "main"] == [[("rewritten", 8)]]
    roll_back(asking, rows)
    try_again(asking)
    asking.round()
    with pytest.raises(InvalidError, match="w0 shows a checkpoint of 9 events"):
        asking.log.restore(witnessed=asking.witnessed())


@pytest.mark.usefixtures("server")
def test_a_history_that_was_rewritten_is_found_by_the_witness_that_saw_the_other(
    asking: AskingLog, client: MongoClient[dict[str, Any]], database: str
) -> None:
    asking.log.append(5)
    asking.round()
    shutil.rmtree(asking.log.folder / "anchors")
    for name in client[database].list_collection_names():
        client[database][name].delete_many({})
    asking.log.append(7)
    (report,) = [each for each in asking.round().reports if each.chain == "main"]
    assert kinds(report) == [("rewritten", 4)]
    standing = asking.log.auditor().standings
    assert standing.open_findings() >= 1


def test_a_witness_s_word_alone_accuses_nobody(asking: AskingLog, tmp_path: Path) -> None:
    """It holds a larger tree under the chain's name, but no key of this log has signed that."""
    thief = new_key(tmp_path / "thief")
    text = format_checkpoint(Checkpoint(asking.key().name, 9, bytes(32)))
    larger = format_note(sign_note(text, asking.key().name, [thief]))
    with witness_of(tmp_path / "witness", W, asking.key(), VerifierKey(asking.key().name, thief.public_key)) as server:
        asking.policy.write_bytes(policy_of(("w0", W, server.url)))
        asked = server.witness.add_checkpoint(format_request(AddCheckpoint(0, (), larger)))
        assert asked.status == 200
        asking.log.append(5)
        assert asking.round().reports == []
        assert asking.record().state == "ahead"
        assert "nothing that this log has signed" in asking.record().detail
        assert kinds(asking.audit_all()["main"]) == []


def test_all_witnesses_hang_and_anchors_are_made_before_anybody_is_asked(
    asking: AskingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog.witnessing.http_call.SECONDS", 0.2)
    notes = asking.log.folder / "anchors"
    seen: list[int] = []
    release = threading.Event()

    class Hangs(ThreadingHTTPServer):
        daemon_threads = True

        def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
            seen.append(len(list(notes.glob("*/*.note"))))
            threading.Thread(target=lambda: (release.wait(), request.close()), daemon=True).start()

    server = Hangs(("127.0.0.1", 0), BaseHTTPRequestHandler)
    with running(server):
        url = f"http://127.0.0.1:{server.server_address[1]}/w"
        asking.policy.write_bytes(policy_of(("w0", W, url), ("w1", ed25519("witness.example/w2", 2), url)))
        asking.chains = ()
        for chain in ("main", "a", "b"):
            asking.log.append(2, chain)
        outcome = asking.round()
        release.set()
    # 3 chains and the registry: every request came when all of them were anchored.
    assert set(seen) == {4}
    assert {record.state for record in outcome.records} <= {"silent", "not_asked"}
    assert asking.record().state == "silent"
    assert (outcome.reports, outcome.sizes) == ([], {})


def test_two_logs_witness_each_other(
    asking: AskingLog, client: MongoClient[dict[str, Any]], tmp_path: Path, database: str
) -> None:
    (tmp_path / "beta").mkdir()
    beta = AskingLog(AnchoredLog(open_log(client, f"{database}_b", "example.com/log"), tmp_path / "beta"))
    keys = ed25519("acme.example/w", 1), ed25519("beta.example/w", 2)
    try:
        with (
            witness_of(tmp_path / "of-acme", keys[0], beta.key(), beta.key(REGISTRY)) as of_acme,
            witness_of(tmp_path / "of-beta", keys[1], asking.key(), asking.key(REGISTRY)) as of_beta,
        ):
            asking.policy.write_bytes(policy_of(("beta", keys[1], of_beta.url)))
            beta.policy.write_bytes(policy_of(("acme", keys[0], of_acme.url)))
            for number in (3, 2):
                for each in (asking, beta):
                    each.log.append(number)
                    assert each.round().reports == []
            for each, key in ((asking, keys[1]), (beta, keys[0])):
                policy = parse_policy(each.policy.read_bytes())
                assert list(Witnesses(policy).check(served(each)).times) == [policy.witnesses[0].name]
                assert key.key.name in served(each).decode()
            with pytest.raises(NotWitnessedError, match="no line of beta"):
                Witnesses(parse_policy(asking.policy.read_bytes())).check(served(beta))
    finally:
        client.drop_database(f"{database}_b")


@pytest.mark.usefixtures("server")
def test_a_line_that_nobody_signed_is_not_counted_and_found(asking: AskingLog) -> None:
    asking.log.append(5)
    asking.round()
    rows = operations_of(asking.log.store).cosignatures
    line = rows.find_one({"chain": "main"}) or {}
    asking.log.append(1)
    asking.audit_all()
    rows.insert_one(
        line
        | {
            "_id": line["_id"].replace("/000000000001/", "/000000000002/"),
            "number": Int64(2),
            "size": Int64(6),
        }
    )
    (report,) = asking.round().reports
    assert kinds(report) == [("unexpected", 5)]
