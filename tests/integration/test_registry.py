"""The log's own chain names every chain that is anchored, whatever becomes of it meanwhile."""

import time
from pathlib import Path

from eventlog.anchors.registry import Registry
from eventlog.chain_names import REGISTRY
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.integration.test_restore import back_up, put_back
from tests.support.anchored import AnchoredLog, new_key

ALL_INTACT = {chain: {"intact"} for chain in ("main", "second", REGISTRY)}


def statuses(log: AnchoredLog) -> dict[str, set[str]]:
    """What both audits of every chain say, by chain."""
    reports = [log.audit_all(mode) for mode in ("incremental", "full")]
    return {chain: {found[chain].status for found in reports} for chain in reports[0]}


def lose(store: MongoStore) -> None:
    """As after a backup from before the registry's first event was restored."""
    operations_of(store).events.delete_many({"chain": REGISTRY})
    operations_of(store).sequences.delete_many({"_id": REGISTRY})


def test_a_chain_is_registered_again_after_the_registry_was_restored_from_a_backup(store: MongoStore) -> None:
    registry = Registry(store, lambda: int(time.time() * 1000))
    registry.add("main", "example.com/log")
    assert list(registry.names()) == ["main"]
    lose(store)
    assert list(registry.names()) == []  # as each scheduled audit asks first
    registry.add("main", "example.com/log")
    assert list(registry.names()) == ["main"]


def test_a_chain_is_registered_once(store: MongoStore) -> None:
    for registry in (Registry(store, lambda: 1), Registry(store, lambda: 2)):
        for _ in range(3):
            registry.add("main", "example.com/log")
            assert list(registry.names()) == ["main"]
    found = store.chain(REGISTRY)
    assert found is not None
    assert found.state.size == 1


def test_what_the_registry_says_about_itself_names_no_chain_that_is_missed(log: AnchoredLog, tmp_path: Path) -> None:
    """A change of keys and a restore are events of the chain they are about, and the registry is a chain too."""
    log.append(1)
    log.audit_all()
    backup = back_up(log, REGISTRY)
    log.signers = [new_key(tmp_path / "new"), *log.signers]
    log.append(1, "second")
    assert [statuses(log) for _ in range(2)] == [ALL_INTACT] * 2
    put_back(log, backup, REGISTRY)
    assert log.restore(chain=REGISTRY).status == "intact"
    assert [statuses(log) for _ in range(2)] == [ALL_INTACT] * 2
    own = sorted(operations_of(log.store).events.distinct("event_type", {"chain": REGISTRY}))
    assert own == ["eventlog.anchored", "eventlog.chain_registered", "eventlog.chain_restored"]
