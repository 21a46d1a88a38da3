"""The cluster's processes."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from local.machine import HOST, wait_until
from local.mongod.embedded import EmbeddedMongo, start_set
from local.mongod.process import MongodProcess
from tests.support.sharded.placing import SHARDS, zone_of
from tests.support.sharded.router import Router
from tests.support.sharded.routing import MAJORITY


class Member(EmbeddedMongo):
    """A mongod that is a config server or a shard, or one node of one."""

    def __init__(self, folder: Path, role: str, journal_millis: int = 5, replica_set: str = "") -> None:
        name = replica_set or folder.name
        super().__init__(folder, replica_set=name, cache_gb=0.25, journal_millis=journal_millis)
        self._role = role

    def _arguments(self) -> list[str]:
        # What has moved away is removed at once, or it would be in the way of what moves back.
        return [*super()._arguments(), f"--{self._role}", "--setParameter", "orphanCleanupDelaySecs=0"]

    def _new_set(self) -> dict[str, Any]:
        return super()._new_set() | ({"configsvr": True} if self._role == "configsvr" else {})

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it as a machine that swaps, or a virtual one that is moved: it takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


class Mongos(MongodProcess):
    """MongoDB's own router, where there is one."""

    def __init__(self, folder: Path, binary: Path, config: Member) -> None:
        super().__init__(folder)
        self._mongos = binary
        self._config = config

    def _binary(self) -> Path:
        return self._mongos

    def _arguments(self) -> list[str]:
        config = f"{self._config.replica_set}/{self._config.address}"
        return ["--configdb", config, "--port", str(self.port), "--bind_ip", HOST]


class ShardedCluster:
    """A config server, two shards and a router, in a folder of its own. ``nodes``: how many a shard has, if not one.

    ``shards`` are their only nodes, or the ones that became primary first; ``sets`` are all nodes of each. ``servers``
    is what it takes to make one more router of ours; of a mongos it is empty.
    """

    def __init__(self, folder: Path, nodes: Mapping[str, int] | None = None, journal_millis: int = 5) -> None:
        self._folder = folder
        self._nodes = dict.fromkeys(SHARDS, 1) | dict(nodes or {})
        self._journal_millis = journal_millis
        self.config = Member(folder / "cfg", "configsvr")
        self.sets: dict[str, list[Member]] = {}
        self.shards: dict[str, Member] = {}
        self.own_router: Router | None = None
        self.servers: tuple[tuple[str, int], ...] = ()
        self.uri = ""
        self._stack = ExitStack()

    def __enter__(self) -> "ShardedCluster":
        with self._stack:
            self._start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        mongos = os.environ.get("MONGOS") or shutil.which("mongos")
        # Waiting for a majority in its own journal is all that the mongod without data does.
        empty = Member(self._folder / "empty", "shardsvr", journal_millis=1)
        for member in [self.config] if mongos else [self.config, empty]:
            self._stack.callback(member.kill)  # nobody wants its data
            member.start()
        for name in SHARDS:
            self._start_shard(name)
        with self.config.client() as client:
            client.admin.command("_configsvrBalancerStop")
            for nodes in [*self.sets.values(), *([] if mongos else [[empty]])]:
                wait_until(f"{nodes[0].replica_set} to be a shard", partial(_added, client, nodes))
            for name in SHARDS:
                client.admin.command("_configsvrAddShardToZone", name, zone=zone_of(name), writeConcern=MAJORITY)
        if mongos:
            router = Mongos(self._folder / "mongos", Path(mongos), self.config)
            self._stack.callback(router.kill)
            router.launch()
            self.uri = f"mongodb://{router.address}/"
        else:
            self.servers = (HOST, self.config.port), (HOST, empty.port)
            self.own_router = Router(*self.servers)
            self.uri = self._stack.enter_context(self.own_router).uri

    def _start_shard(self, name: str) -> None:
        """Start a shard of one node or of several; the first of several becomes primary."""
        count = self._nodes[name]
        if count == 1:
            nodes = [Member(self._folder / name, "shardsvr", self._journal_millis)]
            self._stack.callback(nodes[0].kill)
            nodes[0].start()
        else:
            nodes = [
                Member(self._folder / f"{name}-{number}", "shardsvr", self._journal_millis, name)
                for number in range(count)
            ]
            for node in nodes:
                self._stack.callback(node.kill)
            start_set(nodes, priorities=[2, *([1] * (count - 1))])
        self.sets[name] = nodes
        self.shards[name] = nodes[0]

    @contextmanager
    def clock_ahead(self, seconds: float) -> Iterator[bool]:
        """Put the router's own clock ahead; whether that can be done, which it can't with a mongos."""
        if self.own_router is None:
            yield False
            return
        self.own_router.ahead = seconds
        try:
            yield True
        finally:
            self.own_router.ahead = 0.0


def _added(config: MongoClient[dict[str, Any]], nodes: list[Member]) -> bool:
    """Make a replica set a shard; False if the config server is not ready for that yet."""
    name = nodes[0].replica_set
    place = f"{name}/{','.join(node.address for node in nodes)}"
    try:
        config.admin.command("_configsvrAddShard", place, name=name, writeConcern=MAJORITY)
    except OperationFailure:
        return False
    return True
