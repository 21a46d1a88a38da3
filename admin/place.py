"""`python -m admin.place CHAIN ZONE`: keep a chain's order and its events on the shards of one zone."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from bson import Int64, MaxKey, MinKey
from pymongo import MongoClient

from admin.command import CommandError, reported
from admin.mongo import check_mongo
from admin.settings import AdminSettings
from admin.sharding import Sharding
from eventlog.console import run as run_command
from eventlog.formats.names import is_chain_name
from eventlog.store.mongo.schema import COLLECTIONS

Document = dict[str, Any]


def place(client: MongoClient[Document], database: str, chain: str, zone: str) -> list[str]:
    """Tell MongoDB that a chain belongs to a zone; return the zone's shards. Its balancer moves what is elsewhere.

    It can be done again, also with another zone. The chain need not be there yet.

    Raises:
        CommandError: the name is no chain's, the database isn't sharded as declared, or no shard is in the zone.
    """
    if not is_chain_name(chain):
        raise CommandError(f"{chain!r} is not the name of a chain.")
    sharding = Sharding(client, database, check=True)
    wanted = {declared.name: declared.shard_key for declared in COLLECTIONS if declared.shard_key}
    if any(sharding.key(name, key)[0] != "as declared" for name, key in wanted.items() if key):
        raise CommandError(f"Database {database} is not sharded as declared; run make db-setup first.")
    shards = [str(each["_id"]) for each in client["config"]["shards"].find({"tags": zone}, sort=[("_id", 1)])]
    if not shards:
        raise CommandError(f"No shard is in zone {zone}; in mongosh: sh.addShardToZone(SHARD, {zone!r}).")
    for name, (low, high) in _bounds(client, database, chain).items():
        client.admin.command("updateZoneKeyRange", f"{database}.{name}", min=low, max=high, zone=zone)
    return shards


def _bounds(client: MongoClient[Document], database: str, chain: str) -> dict[str, tuple[Document, Document]]:
    """Return the ranges of the chain's shard keys: one hash in ``sequences``, and all its events and payloads."""
    (row,) = client[database].aggregate([{"$documents": [{"hash": {"$toHashedIndexKey": chain}}]}])
    hashed = int(row["hash"])
    return {
        "sequences": ({"_id": Int64(hashed)}, {"_id": Int64(hashed + 1)}),
        "events": ({"chain": chain, "seq": MinKey()}, {"chain": chain, "seq": MaxKey()}),
        "bodies": ({"_id": f"{chain}/"}, {"_id": f"{chain}0"}),  # 0 is what comes after a slash
    }


def run(settings: AdminSettings, chain: str, zone: str) -> int:
    """Place a chain, and say where; return 0."""
    uri = settings.uri()
    check_mongo(uri, settings.mongo_database, "MONGO_ADMIN_URI")
    with MongoClient[Document](uri, appname="eventlog-admin") as client:
        shards = place(client, settings.mongo_database, chain, zone)
    print(f"Chain {chain} belongs to zone {zone} ({', '.join(shards)}). The balancer moves what is elsewhere.")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 done, 1 it can't be done, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="make place", description="Keep a chain on the shards of one zone.")
    parser.add_argument("chain")
    parser.add_argument("zone")
    given = parser.parse_args(arguments)
    return reported(lambda: run(AdminSettings(), given.chain, given.zone))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
