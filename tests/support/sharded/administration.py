"""What a router does about sharding itself: the commands of mongos, handed to the config server or a primary shard."""

from collections.abc import Callable, Mapping
from functools import partial

from tests.support.sharded.routing import MAJORITY, Routing
from tests.support.sharded.wire import Command, Document

Run = Callable[[tuple[str, int], Command], Document]
_ON_CONFIG = {
    "addShardToZone": "_configsvrAddShardToZone",
    "updateZoneKeyRange": "_configsvrUpdateZoneKeyRange",
    "balancerStart": "_configsvrBalancerStart",
    "balancerStop": "_configsvrBalancerStop",
}


def administration(routing: Routing, run: Run) -> Mapping[str, Callable[[Command], Document]]:
    """The commands, by name. ``run`` runs a command on a server."""
    commands: dict[str, Callable[[Command], Document]] = {
        "enableSharding": partial(_enable_sharding, routing),
        "shardCollection": partial(_shard_collection, routing, run),
        "reshardCollection": partial(_reshard_collection, routing, run),
        "moveRange": partial(_move_range, routing),
    }
    for name, there in _ON_CONFIG.items():
        commands[name] = partial(_on_config, routing, there)
    return commands


def _on_config(routing: Routing, name: str, command: Command) -> Document:
    concern = {} if "Balancer" in name else {"writeConcern": MAJORITY}
    return routing.run_config(command.change(name, **concern).fields)


def _enable_sharding(routing: Routing, command: Command) -> Document:
    routing.database(command.fields["enableSharding"], make=True)
    return {"ok": 1.0}


def _shard_collection(routing: Routing, run: Run, command: Command) -> Document:
    database, _, name = command.fields["shardCollection"].partition(".")
    found = routing.database(database, make=True)
    assert found is not None
    fields = {
        "_shardsvrCreateCollection": name,
        "shardKey": command.fields["key"],
        "unique": bool(command.fields.get("unique")),
        **{key: value for key, value in command.fields.items() if key == "numInitialChunks"},
        "databaseVersion": found["version"],
        "writeConcern": MAJORITY,
        "$db": database,
    }
    answer = run(routing.shard(found["primary"]), Command(fields))
    routing.forget()
    return answer


def _reshard_collection(routing: Routing, run: Run, command: Command) -> Document:
    database = routing.database(command.fields["reshardCollection"].partition(".")[0])
    assert database is not None
    fields = {"databaseVersion": database["version"], "writeConcern": MAJORITY}
    answer = run(routing.shard(database["primary"]), command.change("_shardsvrReshardCollection", **fields))
    routing.forget()
    return answer


def _move_range(routing: Routing, command: Command) -> Document:
    fields = {key: command.fields[key] for key in ("toShard", "min", "max")}
    moved = {"_configsvrMoveRange": command.fields["moveRange"], "waitForDelete": False, "writeConcern": MAJORITY}
    routing.run_config(moved | fields | {"$db": "admin"})
    return {"ok": 1.0}
