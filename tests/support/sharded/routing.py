"""Where everything is, as the config server has it: shards, databases, and the ranges of sharded collections."""

import hashlib
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson
from bson import MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import HASHED

from tests.support.sharded.wire import Command, Document, Peer

MAJORITY = {"w": "majority"}
FIRST_SHARD = "sh0"
"""Where databases are made."""
_HELLO_SECONDS = 0.5
_TEXT = 15
"""What MongoDB's hash takes for the type of a text."""


class RouterError(Exception):
    """What the router itself answers instead of a result."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(text)
        self.answer = {"ok": 0.0, "errmsg": text, "code": code, "codeName": name}


@dataclass(frozen=True, slots=True)
class Range:
    """A range of shard keys with the shard that has it."""

    low: Document
    high: Document
    shard: str
    version: Timestamp


@dataclass(frozen=True, slots=True)
class Sharded:
    """A sharded collection."""

    key: dict[str, Any]
    epoch: ObjectId
    time: Timestamp
    ranges: list[Range]

    def owner(self, key: Document) -> str:
        """The shard with a shard key; keys are texts and numbers here, of one type a field."""
        key = {field: hash_of(value) if self.key[field] == HASHED else value for field, value in key.items()}
        return next(each.shard for each in self.ranges if not _less(key, each.low) and _less(key, each.high))

    def shards(self) -> list[str]:
        return sorted({each.shard for each in self.ranges})

    def version(self, shard: str) -> Document:
        """What the shard compares with its own knowledge, so that a router that is not up to date writes nothing."""
        own = [each.version for each in self.ranges if each.shard == shard]
        newest = max(own, key=lambda version: (version.time, version.inc), default=Timestamp(0, 0))
        return {"e": self.epoch, "t": self.time, "v": newest}


UNSHARDED: Document = {"e": ObjectId(bytes(12)), "t": Timestamp(0, 0), "v": Timestamp(0, 0)}


class Routing:
    """A cache of it; ``forget`` empties it when a shard says that it is stale."""

    def __init__(self, config: tuple[str, int]) -> None:
        self._config = Peer(config)
        self._primaries: dict[str, tuple[str, int]] = {}
        self._databases: dict[str, Document] = {}
        self._collections: dict[str, Sharded | None] = {}
        self._lock = threading.RLock()

    def close(self) -> None:
        self._config.close()

    def shard(self, name: str) -> tuple[str, int]:
        """The address of a shard's primary."""
        with self._lock:
            if name not in self._primaries:
                (found,) = self._find("shards", {"_id": name})
                hosts = [host.partition(":") for host in found["host"].partition("/")[2].split(",")]
                self._primaries[name] = _primary([(host, int(port)) for host, _, port in hosts])
            return self._primaries[name]

    def shards(self) -> list[str]:
        """The names of all shards."""
        with self._lock:
            return sorted(str(found["_id"]) for found in self._find("shards", {}))

    def lost(self, address: tuple[str, int]) -> None:
        """A shard's primary does not answer, or is none any more: look for the new one the next time."""
        with self._lock:
            self._primaries = {name: found for name, found in self._primaries.items() if found != address}

    def database(self, name: str, *, make: bool = False) -> Document | None:
        """A database's primary shard and version; it can be made on the way, as a first write does."""
        with self._lock:
            self._look_up(name)
            if name not in self._databases and make:
                command = {"_configsvrCreateDatabase": name, "primaryShardId": FIRST_SHARD, "writeConcern": MAJORITY}
                self.run_config(command | {"$db": "admin"})
                self._look_up(name)
            return self._databases.get(name)

    def _look_up(self, name: str) -> None:
        """Read where a database is, if it is not known: a mongod that routes for us makes some by itself."""
        if name not in self._databases:
            self._databases.update((name, found) for found in self._find("databases", {"_id": name}))

    def collection(self, namespace: str) -> Sharded | None:
        """A sharded collection; None if it is not sharded, so that all of it is on its database's primary shard."""
        with self._lock:
            if namespace not in self._collections:
                self._collections[namespace] = self._read_collection(namespace)
            return self._collections[namespace]

    def forget(self) -> None:
        with self._lock:
            self._databases.clear()
            self._collections.clear()

    def run_config(self, command: Document) -> Document:
        """Run a command on the config server."""
        with self._lock:
            answer = self._config.run(Command(command))
        if not answer["ok"]:
            raise RouterError(answer["code"], answer["codeName"], answer["errmsg"])
        return answer

    def _read_collection(self, namespace: str) -> Sharded | None:
        for found in self._find("collections", {"_id": namespace}):
            ranges = [
                Range(each["min"], each["max"], each["shard"], each["lastmod"])
                for each in self._find("chunks", {"uuid": found["uuid"]})
            ]
            return Sharded(dict(found["key"]), found["lastmodEpoch"], found["timestamp"], ranges)
        return None

    def _find(self, collection: str, filter: Document) -> list[Document]:  # noqa: A002  MongoDB's name
        command = {"find": collection, "filter": filter, "batchSize": 10_000, "readConcern": {"level": "majority"}}
        batch = self.run_config(command | {"$db": "config"})["cursor"]["firstBatch"]
        return [bson.decode(found.raw) for found in batch]


def _primary(hosts: list[tuple[str, int]]) -> tuple[str, int]:
    """The node that takes writes. A shard's only node is asked nothing.

    Raises:
        RouterError: there is none now.
    """
    for address in hosts:
        peer = Peer(address)
        try:
            if len(hosts) == 1 or peer.run(Command({"hello": 1, "$db": "admin"}), _HELLO_SECONDS)["isWritablePrimary"]:
                return address
        except OSError:
            continue
        finally:
            peer.close()
    raise RouterError(133, "FailedToSatisfyReadPreference", "a shard has no primary")


def value_of(query: Mapping[str, Any], field: str) -> Any:
    """The one value that a query wants a field of the shard key to have.

    Raises:
        RouterError: it names none.
    """
    value = query.get(field)
    if isinstance(value, RawBSONDocument):
        value = value.get("$eq")
    if value is None or isinstance(value, RawBSONDocument):
        raise RouterError(61, "ShardKeyNotFound", "a findAndModify must contain the shard key")
    return value


def hash_of(name: str) -> int:
    """MongoDB's own hash of a text, as its hashed indexes have it: the beginning of an MD5 of seed, type and value."""
    text = name.encode()
    hashed = hashlib.md5(struct.pack("<iii", 0, _TEXT, len(text) + 1) + text + b"\0", usedforsecurity=False)
    return int(struct.unpack("<q", hashed.digest()[:8])[0])


def _less(one: Document, other: Document) -> bool:
    for left, right in zip(one.values(), other.values(), strict=True):
        if left != right:
            ends = isinstance(left, MinKey) or isinstance(right, MaxKey)
            return ends or (not isinstance(left, MaxKey) and not isinstance(right, MinKey) and bool(left < right))
    return False
