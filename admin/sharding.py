"""Shard keys of a sharded cluster, and a part of each hashed collection on every shard."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo import MongoClient

from admin.outcomes import StepOutcome, corrected, made
from admin.ranges import HIGH, LOW, HashRange, moves, short, without
from eventlog.store.mongo.indexes import ShardKey

Document = dict[str, Any]


class Sharding:
    """Brings the shard keys of one database to what is declared; with ``check`` it only looks."""

    def __init__(self, client: MongoClient[Document], database: str, *, check: bool) -> None:
        self._client = client
        self._db = client[database]
        self._config = client["config"]
        self._check = check

    @cached_property
    def applies(self) -> bool:
        """Whether this is a sharded cluster."""
        return bool(self._client.admin.command("hello").get("msg") == "isdbgrid")

    def key(self, collection: str, key: ShardKey) -> StepOutcome:
        """Shard a collection that is not, by its declared key."""
        if not self.applies:
            return "skipped", "does not apply: this is no sharded cluster"
        found = self._found(collection)
        if found is None:
            if not self._check:
                self._shard(collection, key)
            return made(check=self._check)
        # A shard key can't be changed with a command that is quick and safe: the operator is told of reshardCollection.
        if _is(found, key):
            return "as declared", ""
        why = "chains whose names are alike meet one shard; " if key.is_hashed else ""
        return "differs", f"it is {dict(found['key'])}: {why}see reshardCollection in docs/operations.md#shards"

    def placement(self, collection: str, key: ShardKey) -> StepOutcome:
        """Move ranges until every shard has a part. MongoDB's balancer goes by bytes, and here are too few to move."""
        found = self._found(collection)
        if found is None or not _is(found, key):
            return "skipped", "its shard key comes first"
        shards = [str(each["_id"]) for each in self._config["shards"].find({"draining": {"$ne": True}})]
        ranges = list(self._ranges(collection, found["uuid"]))
        wrong = [f"{shard} has {part:.0%} of it" for shard, part in short(ranges, shards).items()]
        for each in [] if self._check else moves(ranges, shards):
            low, high = {"_id": _bound(each.low)}, {"_id": _bound(each.high)}
            name = f"{self._db.name}.{collection}"
            self._client.admin.command("moveRange", name, min=low, max=high, toShard=each.shard)
        return corrected(wrong, check=self._check)

    def _found(self, collection: str) -> Document | None:
        return self._config["collections"].find_one({"_id": f"{self._db.name}.{collection}"})

    def _shard(self, collection: str, key: ShardKey) -> None:
        if key.is_hashed:  # MongoDB makes this index itself only where the collection is empty
            self._db[collection].create_index(list(key.keys))
        self._client.admin.command(
            "shardCollection", f"{self._db.name}.{collection}", key=dict(key.keys), unique=key.unique
        )

    def _ranges(self, collection: str, uuid: Any) -> Iterable[HashRange]:
        chunks: Iterator[HashRange] = (
            HashRange(_hash(each["min"]["_id"]), _hash(each["max"]["_id"]), each["shard"])
            for each in self._config["chunks"].find({"uuid": uuid}, sort=[("min", 1)])
        )
        zones = self._config["tags"].find({"ns": f"{self._db.name}.{collection}"})
        return without(chunks, [(_hash(zone["min"]["_id"]), _hash(zone["max"]["_id"])) for zone in zones])


def _is(found: Document, key: ShardKey) -> bool:
    return (tuple(found["key"].items()), bool(found.get("unique"))) == (key.keys, key.unique)


def _hash(bound: Any) -> int:
    return LOW if isinstance(bound, MinKey) else HIGH if isinstance(bound, MaxKey) else int(bound)


def _bound(value: int) -> Any:
    return MinKey() if value == LOW else MaxKey() if value == HIGH else Int64(value)
