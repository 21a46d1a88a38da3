"""The router: answers drivers as mongos does."""

import time
from collections.abc import Callable

from bson import DatetimeMS

from tests.support.sharded.administration import administration
from tests.support.sharded.changes import Streams, watches
from tests.support.sharded.clock import ClusterClock
from tests.support.sharded.routing import MAJORITY, UNSHARDED, RouterError, Routing, Sharded, value_of
from tests.support.sharded.wire import Command, Document, Listener, Peer

_THERE = {name: f"cluster{name[0].upper()}{name[1:]}" for name in ("find", "getMore", "insert", "update", "delete")}
_THERE["aggregate"] = "clusterAggregate"
"""The commands of mongos that a mongod has, by the names that it gives them."""
_MAKING = {"insert", "update", "create", "createIndexes", "findAndModify"}
"""Commands that make a database that does not exist yet."""
_THROUGH_PRIMARY = {
    "drop": "_shardsvrDropCollection",
    "dropDatabase": "_shardsvrDropDatabase",
    "dropIndexes": "_shardsvrDropIndexes",
    "collMod": "_shardsvrCollMod",
}
_USERS = {"createRole", "updateRole", "rolesInfo", "createUser", "updateUser", "usersInfo", "saslStart", "saslContinue"}
"""Users and roles are the config server's, for the whole cluster; here nobody asks who may do what."""
_STALE = {13388, 249, 150, 250}
_NO_PRIMARY = {10058, 10107, 13435, 13436, 189, 11602}
"""What a node says that is no primary (any more). A router lets no client see these."""
_WRITES = {"insert", "update", "delete", "findAndModify"}
_SAID: dict[str, Document] = {"endSessions": {"ok": 1.0}}
"""What ends by itself here."""


class Router(Listener):
    """Listens as a mongos would. ``config`` and ``empty`` are mongods: the config server, and one without data."""

    def __init__(self, config: tuple[str, int], empty: tuple[str, int]) -> None:
        self.routing = Routing(config)
        self.config = config
        self.empty = empty
        self.clock = ClusterClock()
        self.streams = Streams(self._shards)
        self.ahead = 0.0  # seconds by which its own clock is ahead
        super().__init__(lambda: _Client(self))

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.streams.close()
        self.routing.close()

    def _shards(self) -> list[tuple[str, int]]:
        """The primaries of all shards, that of the mongod without data too: it may have been given some."""
        return [self.routing.shard(name) for name in self.routing.shards()]

    def now(self) -> DatetimeMS:
        return DatetimeMS(int((time.time() + self.ahead) * 1000))


class _Client:
    """One client's connection, with connections of its own to the servers behind."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._routing = router.routing
        self._peers: dict[tuple[str, int], Peer] = {}
        self._left: list[Peer] = []
        self._own: dict[str, Callable[[Command], Document]] = {
            "hello": self._hello,
            "ismaster": self._hello,
            "isMaster": self._hello,
            "findAndModify": self._find_and_modify,
            "findandmodify": self._find_and_modify,
            "createIndexes": self._create_indexes,
            "aggregate": self._aggregate,
            "getMore": self._get_more,
            "killCursors": self._kill_cursors,
            "count": self._count,
            "distinct": self._distinct,
            **administration(self._routing, self._run),
        }

    def close(self) -> None:
        for peer in (*self._peers.values(), *self._left):
            peer.close()

    def answer(self, command: Command) -> Document:
        try:
            return self._dispatch(command)
        except RouterError as error:
            return error.answer | self._router.clock.stamp()
        except OSError as error:
            return RouterError(6, "HostUnreachable", f"{command.name}: {error!r}").answer | self._router.clock.stamp()

    def _dispatch(self, command: Command) -> Document:
        name = command.name
        if name in _SAID:
            return _SAID[name] | self._router.clock.stamp()
        if name in _WRITES and not {"writeConcern", "autocommit"} & command.fields.keys():
            command = command.change(writeConcern=MAJORITY)  # a mongos's own default, but not a mongod's that routes
        if name in _MAKING:
            self._routing.database(command.database, make=True)
        if name in self._own:
            return self._own[name](command)
        if name in _USERS or command.database in {"admin", "config"}:
            on_empty = name not in _USERS and command.database == "admin"
            return self._run(self._router.empty if on_empty else self._router.config, command)
        if name in _THERE:
            return self._routed(command.change(_THERE[name]))
        return self._on_primary(command)

    def _hello(self, _: Command) -> Document:
        about: Document = {"helloOk": True, "ismaster": True, "isWritablePrimary": True, "msg": "isdbgrid", "ok": 1.0}
        about["saslSupportedMechs"] = ["SCRAM-SHA-256"]
        limits = {"maxBsonObjectSize": 1 << 24, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000}
        versions = {"minWireVersion": 0, "maxWireVersion": 17, "logicalSessionTimeoutMinutes": 30}
        return about | limits | versions | {"localTime": self._router.now()} | self._router.clock.stamp()

    def _run(self, address: tuple[str, int], command: Command, seconds: float | None = None) -> Document:
        """Run a command on a server."""
        peer = self._peers.setdefault(address, Peer(address))
        try:
            answer = peer.run(self._router.clock.on(command), seconds)
        except TimeoutError:
            self._left.append(self._peers.pop(address))  # its answer is still to come, and must not be taken for others
            self._routing.lost(address)
            raise
        except OSError:
            self._routing.lost(address)
            raise
        if answer.get("code") in _NO_PRIMARY:
            self._routing.lost(address)
            raise RouterError(6, "HostUnreachable", f"{command.name}: {answer.get('errmsg')}")
        self._router.clock.saw(answer)
        answer.pop("lastCommittedOpTime", None)
        return answer

    def _routed(self, command: Command) -> Document:
        """Have MongoDB's own router code do it. The time in its answer, of a server without data, means nothing."""
        answer: Document = {}
        for _ in range(10):
            answer = self._run(self._router.empty, command)
            if answer["ok"] or answer.get("code") not in _STALE:
                break
            self._run(self._router.empty, Command({"flushRouterConfig": 1, "$db": "admin"}))
        return answer | self._router.clock.stamp()

    def _find_and_modify(self, command: Command) -> Document:
        """Send it to the one shard that has the document; when the time is over, say so and leave it there."""
        limit = command.fields.get("maxTimeMS")
        until = None if limit is None else time.monotonic() + limit / 1000

        def run() -> Document:
            shard, versions = self._target(command)
            if isinstance(command.fields.get("update"), list):  # a pipeline may use $$NOW
                versions["runtimeConstants"] = {"localNow": self._router.now(), "clusterTime": self._router.clock.now}
            left = None if until is None else max(0.01, until - time.monotonic())
            try:
                return self._run(self._routing.shard(shard), command.change(**versions), left)
            except TimeoutError:
                raise RouterError(50, "MaxTimeMSExpired", "operation exceeded time limit") from None

        return self._until_fresh(run)

    def _until_fresh(self, run: Callable[[], Document]) -> Document:
        """Do something again with what the config server says now, for as long as shards say that it was stale."""
        while True:
            answer = run()
            if answer["ok"] or answer.get("code") not in _STALE:
                return answer
            self._routing.forget()

    def _target(self, command: Command) -> tuple[str, Document]:
        """The shard of a document, and the versions to send along."""
        collection = self._collection(command)
        if collection is None:
            return self._primary(command)
        query = command.fields["query"]
        shard = collection.owner({field: value_of(query, field) for field in collection.key})
        return shard, {"shardVersion": collection.version(shard)}

    def _collection(self, command: Command) -> Sharded | None:
        return self._routing.collection(f"{command.database}.{command.fields[command.name]}")

    def _primary(self, command: Command) -> tuple[str, Document]:
        database = self._routing.database(command.database)
        if database is None:
            raise RouterError(26, "NamespaceNotFound", f"there is no database {command.database}")
        return database["primary"], {"databaseVersion": database["version"], "shardVersion": UNSHARDED}

    def _on_primary(self, command: Command) -> Document:
        """Have a database's primary shard do what concerns collections and indexes."""
        if self._routing.database(command.database) is None:
            if command.name == "listIndexes":
                raise RouterError(26, "NamespaceNotFound", f"there is no database {command.database}")
            empty = {"id": 0, "ns": f"{command.database}.$cmd.{command.name}", "firstBatch": []}
            return {"ok": 1.0, "cursor": empty} if command.name == "listCollections" else {"ok": 1.0}
        shard, versions = self._primary(command)
        if (name := _THROUGH_PRIMARY.get(command.name)) is not None:
            fields = {"databaseVersion": versions["databaseVersion"], "writeConcern": MAJORITY}
            answer = self._run(self._routing.shard(shard), command.change(name, **fields))
            self._routing.forget()
            return answer
        return self._until_fresh(lambda: self._on_one(command))

    def _on_one(self, command: Command) -> Document:
        shard, versions = self._primary(command)
        if command.name == "listIndexes" and (collection := self._collection(command)) is not None:
            shard = collection.shards()[0]
            versions = {"shardVersion": collection.version(shard)}
        elif command.name != "listIndexes":
            del versions["shardVersion"]
        return self._run(self._routing.shard(shard), command.change(**versions))

    def _create_indexes(self, command: Command) -> Document:
        """Make indexes on every shard that has a part of the collection."""
        return self._until_fresh(lambda: self._create_on_all(command))

    def _create_on_all(self, command: Command) -> Document:
        collection = self._collection(command)
        if collection is None:
            shard, versions = self._primary(command)
            return self._run(self._routing.shard(shard), command.change(**versions))
        answer: Document = {"ok": 1.0}
        for shard in collection.shards():
            if answer["ok"]:
                versions = {"shardVersion": collection.version(shard)}
                answer = self._run(self._routing.shard(shard), command.change(**versions))
        return answer

    def _aggregate(self, command: Command) -> Document:
        if not watches(command):
            return self._read(command)
        return self._router.streams.open(command, self._router.clock.now) | self._router.clock.stamp()

    def _get_more(self, command: Command) -> Document:
        stream = self._router.streams.find(int(command.fields["getMore"]))
        if stream is None:
            return self._read(command)
        return stream.more(command) | self._router.clock.stamp()

    def _read(self, command: Command) -> Document:
        if command.database == "config":
            return self._run(self._router.config, command)
        return self._routed(command.change(_THERE[command.name]))

    def _kill_cursors(self, command: Command) -> Document:
        """End streams; other cursors end by themselves here."""
        self._router.streams.end([int(cursor) for cursor in command.fields["cursors"]])
        return {"ok": 1.0, "cursorsKilled": []} | self._router.clock.stamp()

    def _count(self, command: Command) -> Document:
        """Have each shard count its own, up to the limit, and add up."""
        collection = self._collection(command)
        if collection is None:
            return self._until_fresh(lambda: self._on_one(command))
        answers = [
            self._run(self._routing.shard(shard), command.change(shardVersion=collection.version(shard)))
            for shard in collection.shards()
        ]
        if failed := [answer for answer in answers if not answer["ok"]]:
            return failed[0]
        found = sum(int(answer["n"]) for answer in answers)
        return answers[0] | {"n": min(found, command.fields.get("limit") or found)}

    def _distinct(self, command: Command) -> Document:
        """Have all shards group by the field, each item of an array for itself, which comes to the same."""
        field = f"${command.fields['key']}"
        pipeline = [{"$match": command.fields.get("query", {})}, {"$unwind": field}, {"$group": {"_id": field}}]
        kept = {name: value for name, value in command.fields.items() if name not in {"distinct", "key", "query"}}
        grouped = {
            _THERE["aggregate"]: command.fields["distinct"],
            "pipeline": pipeline,
            "cursor": {"batchSize": 10_000},
        }
        answer = self._routed(Command(grouped | kept))
        if not answer["ok"]:
            return answer
        if answer["cursor"]["id"]:
            raise RouterError(17217, "Location17217", "distinct too big, 16mb cap")
        return {"ok": 1.0, "values": [found["_id"] for found in answer["cursor"]["firstBatch"]]}
