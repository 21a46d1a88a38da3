"""The log's own chain names every chain that is anchored, whatever becomes of it meanwhile."""

import time

from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.store.mongo.store import MongoStore, operations_of


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
