"""Many processes append to one chain at once: one order, no gap, no fork, and every receipt is true."""

from pathlib import Path

from eventlog.store.mongo.store import MongoStore
from tests.integration.writer import Writer, check_chain

WRITERS = 32
EVENTS = 10


def test_32_processes_appending_at_once(store: MongoStore, mongo_uri: str, database: str, tmp_path: Path) -> None:
    writers = [
        Writer(mongo_uri, database, f"w{i}", tmp_path, chosen=i % 2 == 0, count=EVENTS, shared="shared")
        for i in range(WRITERS)
    ]
    for writer in writers:
        writer.wait_until_ready()
    for writer in writers:
        writer.go()
    for writer in writers:
        writer.finish()
    assert [writer.failures() for writer in writers] == [[]] * WRITERS
    receipts = [given for writer in writers for given in writer.receipts()]
    shared = [given for given in receipts if given["id"] == "shared"]
    assert shared == [shared[0]] * WRITERS
    assert len(receipts) == WRITERS * (EVENTS + 1)
    size = check_chain(store, receipts)
    assert size == WRITERS * EVENTS + 1
    assert {given["seq"] for given in receipts} == set(range(size))
    by_seq = {given["seq"]: given for given in receipts}
    assert all(by_seq[seq]["prev"] == by_seq[seq - 1]["hash"] for seq in range(1, size))
    for writer in writers:
        own = [given["seq"] for given in writer.receipts() if given["id"] != "shared"]
        assert own == sorted(own)
