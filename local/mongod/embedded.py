"""Embedded MongoDB: a mongod of our own as a replica set, for the development server, the demo and the tests."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from local.machine import HOST, LocalError, free_port, wait_until
from local.mongod.process import MongodProcess

__all__ = [
    "HOST",
    "EmbeddedMongo",
    "LocalError",
    "free_port",
    "replica_set_uri",
    "start_replica_set",
    "start_set",
    "wait_until",
]

# NotYetInitialized, ConfigurationInProgress: mongod is still reading its replica set's configuration.
SOON_OVER = {94, 109}


class EmbeddedMongo(MongodProcess):
    """One mongod that becomes a replica set of one node when its data directory is new.

    If the port of the last run is taken, it moves to another and its configuration with it. Start it from a thread
    that lives as long as it should: on Linux mongod ends with the thread that started it.
    """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start mongod; return when it takes writes, or as a member of a larger set when it answers.

        Raises:
            LocalError: it can't start, for example when another mongod uses the data.
        """
        self.launch()
        try:
            self._configure()
        except BaseException:
            self.kill()
            raise

    def _configure(self) -> None:
        with self.client() as client:
            wait_until(f"the replica set's configuration on {self.address}", lambda: self._is_configured(client))

    def _is_configured(self, client: MongoClient[dict[str, Any]]) -> bool:
        """Make the replica set's configuration, or move it to this port; return True when nothing is left to do."""
        # New data: make the set. Known port: wait until this node is primary. Another port than last time: a set of one
        # node moves with it; a larger set can't, as the other members know the old address.
        try:
            if not client.local["system.replset"].find_one():
                client.admin.command("replSetInitiate", self._new_set())
            config = client.admin.command("replSetGetConfig")["config"]
            hosts = [member["host"] for member in config["members"]]
            if self.address in hosts:
                return len(hosts) > 1 or is_primary(client)
            if len(hosts) > 1:
                raise LocalError(f"{self.address} is not a member of its replica set: its old port is taken.")
            config["members"][0]["host"] = self.address
            client.admin.command("replSetReconfig", config, force=True)
        except AutoReconnect:
            pass  # mongod drops its connections when it finds that its address is not a member's
        except OperationFailure as error:
            if error.code not in SOON_OVER:
                raise
        return False

    def _new_set(self) -> dict[str, Any]:
        """Return the configuration of a new replica set of this node alone."""
        return {"_id": self.replica_set, "members": [{"_id": 0, "host": self.address}]}


def is_primary(client: MongoClient[dict[str, Any]]) -> bool:
    """Return whether the client's node takes writes; False also if it doesn't answer."""
    try:
        return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False


def start_replica_set(
    dirs: Sequence[Path],
    priorities: Sequence[float] | None = None,
    election_timeout_ms: int = 1000,
    replica_set: str = "rs0",
) -> list[EmbeddedMongo]:
    """Start one node per directory as a new replica set; return when one is primary and the others follow.

    Nodes that were killed or stopped come back with their own `start()`.
    """
    nodes = [EmbeddedMongo(path, replica_set=replica_set) for path in dirs]
    start_set(nodes, priorities, election_timeout_ms)
    return nodes


def start_set(
    nodes: Sequence[EmbeddedMongo], priorities: Sequence[float] | None = None, election_timeout_ms: int = 1000
) -> None:
    """Start nodes, whose data are new, as one replica set; return when one is primary and the others follow."""
    # All nodes first, then the configuration: it names each node's address. If one fails, none is left running.
    try:
        for node in nodes:
            node.launch()
        _initiate(nodes, priorities or [1] * len(nodes), election_timeout_ms)
    except BaseException:
        for node in nodes:
            node.kill()
        raise


def replica_set_uri(nodes: Sequence[EmbeddedMongo]) -> str:
    """Return the URI of the set as a whole: drivers find the primary and follow it."""
    return f"mongodb://{','.join(node.address for node in nodes)}/?replicaSet={nodes[0].replica_set}"


def _initiate(nodes: Sequence[EmbeddedMongo], priorities: Sequence[float], election_timeout_ms: int) -> None:
    # One set from the first moment, not node after node; ready when one is primary (state 1) and the rest secondary
    # (2).
    members = [
        {"_id": index, "host": node.address, "priority": priority}
        for index, (node, priority) in enumerate(zip(nodes, priorities, strict=True))
    ]
    settings = {"electionTimeoutMillis": election_timeout_ms, "heartbeatIntervalMillis": 200}
    config = nodes[0]._new_set() | {"members": members, "settings": settings}
    with nodes[0].client() as client:
        client.admin.command("replSetInitiate", config)

        def all_up() -> bool:
            states = [member["state"] for member in client.admin.command("replSetGetStatus")["members"]]
            return sorted(states) == [1] + [2] * (len(nodes) - 1)

        wait_until("the replica set to have a primary", all_up)
