"""What a database says a chain's origin is, is signed only if it can be nothing but a name."""

from pathlib import Path

from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.anchored import ORIGIN, AnchoredLog, kinds
from tests.support.factories import draft


def test_an_origin_with_a_whole_checkpoint_in_it_is_never_signed(store: MongoStore, tmp_path: Path) -> None:
    log = AnchoredLog(store, tmp_path)
    forged = f"{ORIGIN}/main\n3\n{'A' * 43}=\nx"
    planted = MongoStore(operations_of(store), forged)
    planted.append("planted", [draft(chain="planted")])
    planted.settle("planted")
    report = log.audit("full", "planted")
    assert kinds(report) == [("sequence_mismatch", None)]
    assert list(log.anchors.keys("planted")) == []
