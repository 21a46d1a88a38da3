"""Restores of backups and changes of keys together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored import codec
from tests.support.anchored import AnchoredLog, new_key

COLLECTIONS = ("events", "sequences", "checkpoints", "audits")


@pytest.fixture
def log(store: MongoStore, tmp_path: Path) -> AnchoredLog:
    """A log of three anchored events."""
    log = AnchoredLog(store, tmp_path)
    log.append(3)
    log.audit()
    return log


def back_up(log: AnchoredLog) -> Callable[[], None]:
    """Keep the database as it is; what puts it back."""
    operations: Any = operations_of(log.store)
    collections = [operations.events.database[name].with_options(codec_options=codec.CODEC) for name in COLLECTIONS]
    kept = [list(collection.find()) for collection in collections]

    def put_back() -> None:
        for collection, documents in zip(collections, kept, strict=True):
            collection.delete_many({})
            if documents:
                collection.insert_many(documents)

    return put_back


def rotate(log: AnchoredLog) -> None:
    log.signers = [new_key(log.folder / "new"), *log.signers]


def test_a_backup_from_before_a_change_of_keys_can_be_restored(log: AnchoredLog) -> None:
    put_back = back_up(log)
    rotate(log)
    log.append(2)
    log.audit()
    put_back()
    log.append(1)
    assert log.restore().status == "intact"
    assert log.audit("full").findings == ()
    assert len(log.files()) == 4  # three anchors and the restore


def test_a_restored_chain_is_anchored_under_a_new_key_at_once(log: AnchoredLog) -> None:
    put_back = back_up(log)
    log.append(2)
    log.audit()
    put_back()
    rotate(log)
    assert log.restore().status == "intact"
    assert log.audit("full").findings == ()
    assert len(log.files()) == 4
