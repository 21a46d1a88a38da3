"""What the verifier of `make load` says about a log that lost, doubled or altered something."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from pymongo.database import Database

from eventlog.settings import Settings
from eventlog_client.client import EventLog
from local.server import build_app
from tests.support.processes import environment
from tests.support.serving import served
from tools.load import ledger
from tools.load.appends import Appends
from tools.load.exchange import Exchange, Shared
from tools.load.ledger import Ledger, LedgerError
from tools.load.mix import Mix
from tools.load.reads import Reads
from tools.load.verify import Verdict, Verifier

CHAIN = "tools.load.test"


@dataclass
class Loaded:
    """A log with a few events of each kind, and its ledger."""

    url: str
    path: Path
    shared: Shared
    appends: Appends
    reads: Reads
    wrong: list[str]
    db: Database[dict[str, Any]]

    def settle(self) -> None:
        """Have all events in ``events``, where they can be tampered with."""
        with EventLog(self.url) as log:
            log.audit(CHAIN)
        assert self.db["sequences"].find_one({"_id": CHAIN}, {"pending": 1}) == {"_id": CHAIN, "pending": []}

    def verify(self) -> Verdict:
        with EventLog(self.url, verify=False, retries=0) as log:
            return Verifier(log, ledger.read(self.path), arrival_seconds=0).run()

    def command(self) -> subprocess.CompletedProcess[str]:
        """The verifier as a command."""
        command = [sys.executable, "-m", "tools.load.verify", self.url, str(self.path)]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def loaded(client: MongoClient[dict[str, Any]], mongo_uri: str, database: str, tmp_path: Path) -> Iterator[Loaded]:
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    wrong: list[str] = []
    with served(app) as url, Ledger(tmp_path / "ledger") as book:
        exchange = Exchange(url, None, lambda *request: wrong.append(request[-1]) if request[-1] else None)
        rng = Random(1)
        shared = Shared(book, Mix(rng, [CHAIN]), rng)
        loaded = Loaded(
            url,
            tmp_path / "ledger",
            shared,
            Appends(exchange, shared),
            Reads(exchange, shared),
            wrong,
            client[database],
        )
        for _ in range(3):
            loaded.appends.single()
            loaded.appends.own_id()
            loaded.appends.cloudevent()
        loaded.appends.batch()
        loaded.settle()
        yield loaded
        exchange.close()
    app.state.connection.close()


def test_an_honest_log_is_as_it_should_be(loaded: Loaded) -> None:
    for call in (
        loaded.appends.replay,
        loaded.appends.find_queue,
        loaded.reads.look_up,
        loaded.reads.query,
        loaded.reads.query_by_seq,
        loaded.reads.show_chain,
        loaded.reads.prove,
        loaded.reads.prove_consistency,
        loaded.reads.audit,
    ):
        call()
    assert [kind for kind in loaded.wrong if kind != "status 422"] == []
    verdict = loaded.verify()
    assert verdict.problems == []
    assert verdict.acknowledged == verdict.stored == verdict.audited > 19
    assert loaded.command().returncode == 0


def test_a_lost_event_is_named(loaded: Loaded) -> None:
    assert loaded.db["events"].delete_one({"chain": CHAIN, "seq": 4}).deleted_count == 1
    result = loaded.command()
    assert result.returncode == 1
    assert "was acknowledged at seq 4 and is lost" in result.stdout
    assert "the full audit says tampered" in result.stdout


def test_a_lost_tail_is_named_though_no_audit_without_anchors_can_see_it(loaded: Loaded) -> None:
    before = loaded.db["sequences"].find_one({"_id": CHAIN})
    loaded.appends.single()
    loaded.settle()
    loaded.db["events"].delete_one({"chain": CHAIN, "seq": before["size"] if before else 0})
    loaded.db["sequences"].replace_one({"_id": CHAIN}, before or {})
    loaded.db["audits"].delete_many({})
    (problem,) = loaded.verify().problems
    assert "and is lost" in problem


def test_an_event_that_is_there_twice_is_named(loaded: Loaded) -> None:
    """As a client would have it that sends an event without an id a second time."""
    made = loaded.shared.mix.native()
    loaded.appends.once("POST /events", made)
    loaded.appends.once("POST /events", made)
    with pytest.raises(LedgerError, match="got two receipts"):
        ledger.read(loaded.path)
    assert loaded.command().returncode == 1


def test_an_event_that_is_there_twice_unasked_is_named(loaded: Loaded) -> None:
    """As a server would have it that repeats a write which it took for failed."""
    made = loaded.shared.mix.native()
    loaded.appends.once("POST /events", made)
    kept = loaded.path.read_bytes()
    loaded.appends.once("POST /events", made)
    loaded.path.write_bytes(kept)
    result = loaded.command()
    assert result.returncode == 1
    assert "what was sent once is there twice" in result.stdout
    assert "tampered" not in result.stdout


def test_a_copy_in_the_database_is_named(loaded: Loaded) -> None:
    event = loaded.db["events"].find_one({"seq": 2})
    assert event is not None
    size = loaded.db["events"].count_documents({})
    loaded.db["events"].insert_one(event | {"_id": f"{CHAIN}/copy", "event_id": "copy", "seq": Int64(size)})
    result = loaded.command()
    assert result.returncode == 1
    assert "the full audit says tampered" in result.stdout


def test_an_altered_event_is_named(loaded: Loaded) -> None:
    event = loaded.db["events"].find_one({"seq": 3})
    assert event is not None
    altered = event["payload"].replace('"user":"u-', '"user":"x-')
    assert altered != event["payload"]
    loaded.db["events"].update_one({"chain": CHAIN, "seq": 3}, {"$set": {"payload": altered}})
    result = loaded.command()
    assert result.returncode == 1
    assert "altered: event 3: payload_hash is not the hash of salt and payload" in result.stdout
    assert "the full audit says tampered" in result.stdout


def test_a_log_made_anew_contradicts_its_receipts(loaded: Loaded) -> None:
    """Every event is there and the chain is sound; only its receipts tell that it is another one."""
    made = [made for made, _ in loaded.shared.events]
    loaded.db.client.drop_database(loaded.db)
    kept = loaded.path.read_bytes()
    for event in made:
        loaded.appends.once("POST /events", event)
    loaded.path.write_bytes(kept)
    problems = loaded.verify().problems
    assert len(problems) == len(made)
    assert all("than its receipt" in problem for problem in problems)


def test_what_was_never_answered_may_be_stored_or_not(loaded: Loaded) -> None:
    sent, lost = loaded.shared.mix.native(), loaded.shared.mix.native()
    kept = loaded.path.read_bytes()
    loaded.appends.once("POST /events", sent)
    loaded.path.write_bytes(kept)
    with Ledger(loaded.path) as book:
        book.send(CHAIN, [sent.mark, lost.mark])
    verdict = loaded.verify()
    assert verdict.problems == []
    assert (verdict.in_doubt, verdict.in_doubt_stored) == (2, 1)


def test_what_was_refused_must_not_be_stored(loaded: Loaded) -> None:
    made = loaded.shared.mix.native()
    kept = loaded.path.read_bytes()
    loaded.appends.once("POST /events", made)
    loaded.path.write_bytes(kept)
    with Ledger(loaded.path) as book:
        book.send(CHAIN, [made.mark])
        book.refuse([made.mark])
    (problem,) = loaded.verify().problems
    assert problem.endswith("was refused and is stored")


def test_what_nobody_sent_is_named(loaded: Loaded) -> None:
    with EventLog(loaded.url) as log:
        log.append("user.login", "elsewhere", {"user": "u-1"}, chain=CHAIN)
    (problem,) = loaded.verify().problems
    assert problem.endswith("is an event that was never sent")


def test_what_the_queue_accepted_must_arrive_as_itself(loaded: Loaded) -> None:
    arrived, other, missing = (loaded.shared.mix.native(own_id=True) for _ in range(3))
    kept = loaded.path.read_bytes()
    loaded.appends.once("POST /events", arrived)
    loaded.appends.once("POST /events", other)
    loaded.path.write_bytes(kept)
    with Ledger(loaded.path) as book:
        for made, event_id in ((arrived, arrived.fields["event_id"]), (other, "another"), (missing, "own-missing")):
            book.send(CHAIN, [made.mark])
            book.accept(made.mark, event_id)
    verdict = loaded.verify()
    assert verdict.accepted == 3
    strange, lost = verdict.problems
    assert "was accepted as another" in strange
    assert lost.endswith("event own-missing was accepted for the queue and did not arrive")
