"""The stored anchors: newest, by size, by number; one document a number."""

from dataclasses import replace

import pytest

from eventlog.store.errors import CorruptionError
from eventlog.store.mongo.checkpoints import CheckpointStore
from eventlog.store.mongo.store import MongoStore, operations_of
from eventlog.stored.anchor_copies import AnchorCopy


def copy(number: int, size: int, chain: str = "main") -> AnchorCopy:
    """An anchor whose note is not signed: the store keeps bytes and reads none."""
    note = f"example.com/log/{chain}\n{size}\nroot\n\n— name {number}\n".encode()
    return AnchorCopy(chain, number, size, 1_700_000_000_000 + number, note, ("name+00000000+key",))


@pytest.fixture
def checkpoints(store: MongoStore) -> CheckpointStore:
    found = CheckpointStore(store)
    found.ensure_indexes()
    return found


def test_a_chain_without_checkpoints_has_none(checkpoints: CheckpointStore) -> None:
    checkpoints.add(copy(1, 5, chain="other"))
    assert checkpoints.newest("main") is None
    assert checkpoints.at_size("main", 5) is None
    assert list(checkpoints.scan("main")) == []


def test_the_newest_has_the_highest_number(checkpoints: CheckpointStore) -> None:
    for number in (2, 10, 9):
        checkpoints.add(copy(number, 100 - number))
    assert checkpoints.newest("main") == copy(10, 90)


def test_of_one_size_the_highest_number_is_given(checkpoints: CheckpointStore) -> None:
    for number, size in ((1, 5), (2, 5), (3, 7)):
        checkpoints.add(copy(number, size))
    assert checkpoints.at_size("main", 5) == copy(2, 5)
    assert checkpoints.at_size("main", 6) is None


def test_a_scan_is_by_number_with_both_ends(checkpoints: CheckpointStore) -> None:
    for number in (3, 1, 2, 4):
        checkpoints.add(copy(number, number))
    assert [found.number for found in checkpoints.scan("main", 2, 3)] == [2, 3]
    assert [found.number for found in checkpoints.scan("main")] == [1, 2, 3, 4]


def test_adding_the_same_again_changes_nothing(checkpoints: CheckpointStore) -> None:
    checkpoints.add(copy(1, 5))
    checkpoints.add(copy(1, 5))
    assert list(checkpoints.scan("main")) == [copy(1, 5)]


def test_another_checkpoint_of_the_same_number_is_refused(checkpoints: CheckpointStore) -> None:
    checkpoints.add(copy(1, 5))
    with pytest.raises(CorruptionError, match="another checkpoint 1 of chain main"):
        checkpoints.add(replace(copy(1, 5), time=0))
    assert checkpoints.newest("main") == copy(1, 5)


@pytest.mark.parametrize("change", [{"size": "5"}, {"keys": [1]}, {"number": 1}, {"_id": "main/1"}], ids=str)
def test_a_damaged_document_is_corruption(
    store: MongoStore, checkpoints: CheckpointStore, change: dict[str, object]
) -> None:
    checkpoints.add(copy(1, 5))
    stored = operations_of(store).checkpoints.find_one_and_delete({})
    assert stored is not None
    operations_of(store).checkpoints.insert_one(stored | change)
    with pytest.raises(CorruptionError, match="damaged"):
        checkpoints.newest("main")
