"""A replica set with access control does not say the cluster time for its first seconds."""

from typing import Any

from bson import Int64
from pymongo import MongoClient

from eventlog.store.mongo.operations import Operations
from eventlog.store.mongo.push import PushImage, push_image
from eventlog.store.mongo.store import MongoStore, operations_of
from tests.support.factories import draft


class Timeless(Operations):
    """Pushes that are answered without a time."""

    def push(self, *args: Any, **kwargs: Any) -> PushImage | None:
        image = super().push(*args, **kwargs)
        return image and image._replace(time=None)


def test_a_reply_without_a_time_is_understood(store: MongoStore) -> None:
    store.append("main", [draft()])
    store.settle("main")
    found = operations_of(store).sequences.find_one({"_id": "main"})
    assert found is not None
    found["pending"] = [{"content_hash": bytes(32)}]
    found["size"] = Int64(2)
    assert push_image({"value": found}, ()).time is None


def test_chosen_ids_are_found_all_the_same(client: MongoClient[dict[str, Any]], database: str) -> None:
    store = MongoStore(Timeless(client, database), "example.com/log")
    for number in range(5):
        store.append("main", [draft(f"e{number}")])
    placed = [store.append("main", [draft(f"e{number}")])[0] for number in range(5)]
    assert [(p.event.seq, p.replayed) for p in placed] == [(number, True) for number in range(5)]
