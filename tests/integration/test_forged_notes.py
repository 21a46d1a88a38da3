"""A note that somebody planted in the database is handed out nowhere, unless it says what the chain's own tree says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.evidence.proofs import Evidence
from eventlog.formats.anchor import NO_ANCHOR, Seal, sign_anchor
from eventlog.formats.checkpoint import Checkpoint, origin_line
from eventlog.store.errors import CorruptionError
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import open_log, operations_of
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored.anchor_copies import AnchorCopy, copy_fields
from tests.support.anchoring import KEY, TIME, put_anchor
from tests.support.factories import draft
from tests.support.streams import checkpoints_of

ORIGIN = "localhost/eventlog"
SIZE = 20

PATHS = ["checkpoint", "tlog/checkpoint", "checkpoint?size=20", "", "consistency?first=5&second=20"]
"""Of the chain, with whatever is read together with its checkpoint."""
OTHERS = ["/api/v1/events/e3/proof?chain=main", "/api/v1/export?chain=main"]


def forged(**fields: Any) -> Callable[[Checkpoint], Checkpoint]:
    return lambda checkpoint: replace(checkpoint, **fields)


FORGED: dict[str, Callable[[Checkpoint], Checkpoint]] = {
    "root": forged(root=b"r" * 32),
    "chain": forged(origin=origin_line(ORIGIN, "other")),
    "log": forged(origin=origin_line("example.org/other", "main")),
    "epoch": forged(origin=f"{origin_line(ORIGIN, 'main')}~02"),
    "size": forged(size=SIZE - 1),
    "more": forged(size=SIZE + 1),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_newest_checkpoint_is_an_error_wherever_it_would_be_shown(
    api: TestClient, client: Any, database: str, name: str
) -> None:
    store = open_log(client, database, ORIGIN)
    store.append("main", [draft(f"e{number}") for number in range(SIZE)])
    genuine = put_anchor(store)
    for path in PATHS:
        assert api.get(f"/api/v1/chains/main/{path}".rstrip("/")).status_code == 200, path
    operations_of(store).checkpoints.delete_many({})
    checkpoint = FORGED[name](Checkpoint(origin_line(ORIGIN, "main"), SIZE, TreeReader(store).root("main", SIZE)))
    note = sign_anchor(checkpoint, Seal(1, TIME + 1, NO_ANCHOR), [KEY])
    recorded = SIZE if name == "size" else checkpoint.size
    planted = AnchorCopy("main", 1, recorded, TIME + 1, note, genuine.keys)
    operations_of(store).checkpoints.insert_one(copy_fields(planted))
    wanted = [path for path in PATHS if name != "more" or "20" not in path]
    for path in [*(f"/api/v1/chains/main/{path}".rstrip("/") for path in wanted), *OTHERS]:
        answer = api.get(path)
        if path == "/api/v1/chains/main":  # says that it is damaged, and what stands of it
            assert answer.json()["damaged"] is True, answer.json()
            continue
        assert (answer.status_code, "is damaged" in answer.json()["detail"]) == (500, True), (path, answer.json())
    with pytest.raises(CorruptionError):
        checkpoints_of(store).newest("main")
    with pytest.raises(CorruptionError):
        list(checkpoints_of(store).scan("main", 1))


def test_a_checkpoint_of_an_earlier_size_and_one_after_a_restore_are_shown(
    api: TestClient, client: Any, database: str
) -> None:
    store = open_log(client, database, ORIGIN)
    store.append("main", [draft(f"e{number}") for number in range(SIZE)])
    put_anchor(store, 7)
    checkpoint = Checkpoint(origin_line(ORIGIN, "main", 2), SIZE, TreeReader(store).root("main", SIZE))
    note = sign_anchor(checkpoint, Seal(2, TIME + 2, NO_ANCHOR), [KEY])
    CheckpointStore(store).add(AnchorCopy("main", 2, SIZE, TIME + 2, note, ("key",)))
    assert api.get("/api/v1/chains/main/checkpoint?size=7").status_code == 200
    assert api.get("/api/v1/chains/main/checkpoint").content == note
    evidence = Evidence(MongoEvidenceReader(store))
    assert [copy.number for copy in checkpoints_of(store).scan("main", 1)] == [1, 2]
    assert evidence.newest("main") is not None
