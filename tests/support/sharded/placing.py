"""Which shard has what of a database, by commands of an administrator, through any router."""

from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo import HASHED, MongoClient

from tests.support.sharded.routing import hash_of

SHARDS = ("sh0", "sh1")


def zone_of(shard: str) -> str:
    """The zone of one shard alone, which each cluster has."""
    return f"only-{shard}"


def spread(client: MongoClient[dict[str, Any]], database: str, chain: str, seq: int) -> None:
    """Shard a database's collections, with this event of a chain, and all that comes after it, on the second shard.

    So the events of the chain are on both shards, and its pushes go to another one than the database's own. The
    sequences of all other chains are on the first shard, as are events of those with a name before its name.
    """
    # Collections that are made where zones say so are at their places at once. To move ranges there takes longer, and a
    # shard gives away, or takes, one at a time, whoever asks. The zones go again: an operator's are what tests look at.
    events, sequences, low = f"{database}.events", f"{database}.sequences", hash_of(chain)
    split = {"chain": chain, "seq": seq}
    ranges = [
        (events, {"chain": MinKey(), "seq": MinKey()}, split, SHARDS[0]),
        (events, split, {"chain": MaxKey(), "seq": MaxKey()}, SHARDS[1]),
        (sequences, {"_id": MinKey()}, {"_id": Int64(low)}, SHARDS[0]),
        (sequences, {"_id": Int64(low)}, {"_id": Int64(low + 1)}, SHARDS[1]),
        (sequences, {"_id": Int64(low + 1)}, {"_id": MaxKey()}, SHARDS[0]),
    ]
    client.admin.command("enableSharding", database, primaryShard=SHARDS[0])
    for namespace, first, behind, shard in ranges:
        client.admin.command("updateZoneKeyRange", namespace, min=first, max=behind, zone=zone_of(shard))
    client.admin.command("shardCollection", events, key={"chain": 1, "seq": 1}, unique=True)
    client.admin.command("shardCollection", sequences, key={"_id": HASHED})
    for namespace, first, behind, _ in ranges:
        client.admin.command("updateZoneKeyRange", namespace, min=first, max=behind, zone=None)


def move_sequence(client: MongoClient[dict[str, Any]], database: str, chain: str, shard: str = SHARDS[1]) -> None:
    """Move the sequence document of one chain: the range of a single hash."""
    low = hash_of(chain)
    move(client, f"{database}.sequences", {"_id": Int64(low)}, {"_id": Int64(low + 1)}, shard)


def gather(client: MongoClient[dict[str, Any]], namespace: str, shard: str = SHARDS[0]) -> None:
    """Move all of a collection to one shard."""
    found = client["config"]["collections"].find_one({"_id": namespace})
    assert found is not None
    for each in list(client["config"]["chunks"].find({"uuid": found["uuid"], "shard": {"$ne": shard}})):
        move(client, namespace, each["min"], each["max"], shard)


def move(client: MongoClient[dict[str, Any]], namespace: str, low: Any, high: Any, shard: str = SHARDS[1]) -> None:
    client.admin.command("moveRange", namespace, min=low, max=high, toShard=shard)
