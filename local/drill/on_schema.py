"""Attacks that leave every row as it is and change what queries see of them: indexes, collections, validators."""

from collections.abc import Callable
from functools import partial
from typing import Any

from admin.setup import Setup
from local.drill.attack import INCREMENTAL, Attack
from local.drill.log import DrillLog

BY_SEQ = ("chain", "seq")
BY_TIME = ("chain", "timestamp", "seq")
BY_TYPE = ("chain", "event_type", "timestamp", "seq")
BY_SOURCE = ("chain", "source_id", "timestamp", "seq")
BY_BOTH = ("chain", "event_type", "source_id", "timestamp", "seq")
SHOWN = {"source_id": {"$gt": "t"}}
"""What a filter lets through: nothing of the drill's log."""
DECLARED = "database schema_mismatch"
TOLD = "database incomplete"


def name_of(fields: tuple[str, ...]) -> str:
    """Return the name that the log's index on these fields has."""
    return "_".join(f"{field}_1" for field in fields)


def make_again(log: DrillLog, fields: tuple[str, ...], keys: dict[str, int] | None = None, **options: Any) -> None:
    """Drop an index of events, and make it again under its name with other options, or on other keys."""
    log.events.drop_index(name_of(fields))
    again = list((keys or dict.fromkeys(fields, 1)).items())
    log.events.create_index(again, name=name_of(fields), **options)


def indexed(fields: tuple[str, ...], keys: dict[str, int] | None = None, **options: Any) -> Callable[[DrillLog], None]:
    """Return the attack ``make_again`` with these arguments."""
    return partial(make_again, fields=fields, keys=keys, **options)


def put_beside(log: DrillLog) -> None:
    """Drop an index, and make one on the same fields that shows nothing, under a name that is not declared."""
    log.events.drop_index(name_of(BY_TIME))
    keys = dict.fromkeys(BY_TIME, 1)
    log.events.create_index(list(keys.items()), name="of_ours", partialFilterExpression=SHOWN)


def drop_index(log: DrillLog) -> None:
    """Drop an index."""
    log.events.drop_index(name_of(BY_SOURCE))


def make_anew(log: DrillLog, name: str = "events", **options: Any) -> None:
    """Make a collection anew, with the same rows and indexes and with these options."""
    held = log.raw(name)
    rows = list(held.find())
    indexes = [dict(index) for index in log.admin[name].list_indexes() if index["name"] != "_id_"]
    held.drop()
    log.admin.create_collection(name, **options)
    for index in indexes:
        log.admin[name].create_index(list(index["key"].items()), name=index["name"], unique=bool(index.get("unique")))
    held.insert_many(rows)


def anew(**options: Any) -> Callable[[DrillLog], None]:
    """Return the attack ``make_anew`` with these options."""
    return partial(make_anew, **options)


def put_view(log: DrillLog, name: str) -> None:
    """Put a view in a collection's place; the rows are elsewhere, and all of them are shown."""
    log.admin[name].rename(f"{name}_")
    log.admin.create_collection(name, viewOn=f"{name}_", pipeline=[])


def view_of(name: str) -> Callable[[DrillLog], None]:
    """Return the attack ``put_view`` on a collection."""
    return partial(put_view, name=name)


def measure_time(log: DrillLog) -> None:
    """Put a time series in the place of the copies of anchors."""
    log.checkpoints.drop()
    log.admin.create_collection("checkpoints", timeseries={"timeField": "time"})


def cap(log: DrillLog) -> None:
    """Have MongoDB drop the oldest copies of anchors once there is no room."""
    log.admin.command("convertToCapped", "checkpoints", size=1 << 20)


def set_up(log: DrillLog) -> None:
    """Set the database up, as an operator does in the cloud, where the audit knows that it was."""
    list(Setup(log.client, "", log.database, check=False).collections())
    log.set_up = True


def remove_validators(log: DrillLog) -> None:
    """Remove all validators of a log that was set up."""
    set_up(log)
    for name in log.admin.list_collection_names():
        log.admin.command("collMod", name, validator={})


def refuse_events(log: DrillLog) -> None:
    """Have the database refuse events of one source."""
    log.admin.command("collMod", "events", validator={"source_id": {"$ne": "shop"}})


ATTACKS = [
    Attack(
        "hide rows by an index with a filter",
        "3",
        indexed(BY_SEQ, unique=True, partialFilterExpression=SHOWN),
        INCREMENTAL,
        DECLARED,
    ),
    Attack("the same, by an index of another name", "3", put_beside, INCREMENTAL, DECLARED),
    Attack(
        "have an index compare in another language",
        "3",
        indexed(BY_TIME, collation={"locale": "de"}),
        INCREMENTAL,
        DECLARED,
    ),
    Attack("make an index sparse", "3", indexed(BY_TYPE, sparse=True), INCREMENTAL, DECLARED),
    Attack("hide an index", "3", indexed(BY_SOURCE, hidden=True), INCREMENTAL, DECLARED),
    Attack("give an index's name to a wildcard", "3", indexed(BY_BOTH, {"$**": 1}), INCREMENTAL, DECLARED),
    Attack("let seqs be taken twice", "3", indexed(BY_SEQ), INCREMENTAL, DECLARED),
    Attack("drop an index", "3", drop_index, INCREMENTAL, TOLD),
    Attack(
        "make events anew with a collation", "3", anew(collation={"locale": "de", "strength": 1}), INCREMENTAL, DECLARED
    ),
    Attack(
        "make events anew as a clustered collection",
        "3",
        anew(clusteredIndex={"key": {"_id": 1}, "unique": True}),
        INCREMENTAL,
        DECLARED,
    ),
    Attack("put a view in the place of events", "3", view_of("events"), INCREMENTAL, DECLARED),
    Attack("put a view in the place of sequences", "3", view_of("sequences"), INCREMENTAL, DECLARED),
    Attack("put a view in the place of checkpoints", "3", view_of("checkpoints"), INCREMENTAL, DECLARED),
    Attack("put a view in the place of audits", "3", view_of("audits"), INCREMENTAL, DECLARED),
    Attack("put a time series in the place of checkpoints", "3", measure_time, INCREMENTAL, DECLARED),
    Attack("have MongoDB drop the oldest checkpoints", "3", cap, INCREMENTAL, DECLARED),
    Attack("have MongoDB refuse events", "3", refuse_events, INCREMENTAL, TOLD),
    Attack("remove the validators", "3", remove_validators, INCREMENTAL, TOLD),
]
