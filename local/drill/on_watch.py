"""Attacks that are over before an audit looks: what was changed is put back, so only the record of changes has it."""

from bson.raw_bson import RawBSONDocument

from eventlog.store.interface.audits import POSITION
from local.drill import on_anchors as anchors
from local.drill import on_events as events
from local.drill.attack import INCREMENTAL, WATCHER, Attack
from local.drill.log import DrillLog
from local.drill.on_events import VICTIM, event_at

_INDEX = "chain_1_timestamp_1_seq_1"
_ALL = "main altered; payments altered; eventlog.registry altered"
_FIELDS = [("chain", 1), ("timestamp", 1), ("seq", 1)]


def edit_and_put_back(log: DrillLog) -> None:
    """Edit a payload, show it to somebody, and put it back byte for byte."""
    before = log.back_up()
    events.edit(log)
    (row,) = [row for row in before.documents["events"] if (row["chain"], row["seq"]) == ("main", VICTIM)]
    log.raw("events").replace_one({"_id": row["_id"]}, row)


def edit_a_field_and_undo(log: DrillLog) -> None:
    """Edit a field, and set it back."""
    row = event_at(log, VICTIM)
    for source in ("elsewhere", row["source_id"]):
        log.events.update_one({"_id": row["_id"]}, {"$set": {"source_id": source}})


def remove_and_insert(log: DrillLog) -> None:
    """Remove some rows, and insert them again as they were."""
    query = {"chain": "payments", "seq": {"$gte": VICTIM}}
    rows: list[RawBSONDocument] = list(log.raw("events").find(query))
    log.events.delete_many(query)
    log.raw("events").insert_many(rows)


def remake_an_index(log: DrillLog) -> None:
    """Make an index anew that leaves out what should not be seen, and put the right one back."""
    log.events.drop_index(_INDEX)
    log.events.create_index(_FIELDS, name=_INDEX, partialFilterExpression={"seq": {"$lt": VICTIM}})
    log.events.drop_index(_INDEX)
    log.events.create_index(_FIELDS, name=_INDEX)


def alter_a_copy_and_put_back(log: DrillLog) -> None:
    """Alter the database's copy of an anchor, which readers are shown, and put it back."""
    rows = list(log.raw("checkpoints").find())
    anchors.alter_copy(log)
    for row in rows:
        log.raw("checkpoints").replace_one({"_id": row["_id"]}, row)


def drop_and_restore(log: DrillLog) -> None:
    """Drop the events and restore them from a copy."""
    rows = list(log.raw("events").find())
    indexes = [index for index in log.events.index_information().items() if index[0] != "_id_"]
    log.events.drop()
    log.raw("events").insert_many(rows)
    for name, index in indexes:
        log.events.create_index(index["key"], name=name, unique=index.get("unique", False))


def swap_collections_and_back(log: DrillLog) -> None:
    """Put another collection in the place of the events for a while."""
    log.events.rename("kept")
    log.admin["other"].insert_one({"_id": "x"})
    log.admin["other"].rename("events")
    log.admin["kept"].rename("events", dropTarget=True)


def remove_the_position(log: DrillLog) -> None:
    """Edit and put back, and remove what says how far changes were watched."""
    edit_and_put_back(log)
    log.audits.delete_one({"_id": POSITION})


def forge_the_position(log: DrillLog) -> None:
    """Edit and put back, and say that changes were watched up to now."""
    edit_and_put_back(log)
    log.audits.update_one({"_id": POSITION}, {"$currentDate": {"time": True}})


def set_the_position_back(log: DrillLog) -> None:
    """Edit and put back, let that be told to nobody, and put back an older position, which is validly signed."""
    older = log.raw("audits").find_one({"_id": POSITION})
    assert older is not None
    log.watch()
    edit_and_put_back(log)
    log.raw("audits").replace_one({"_id": POSITION}, older)


def refuse_the_position(log: DrillLog) -> None:
    """Edit and put back, and have the database refuse whatever the watcher keeps."""
    edit_and_put_back(log)
    log.admin.command("collMod", "audits", validator={"_id": {"$not": {"$regex": "^watch"}}}, validationLevel="strict")


def edit_many_and_put_back(log: DrillLog) -> None:
    """Edit every event of the log at once, and put them back: more changes than a report names."""
    for change in (1, -1):
        log.events.update_many({}, {"$inc": {"v": change}})


ATTACKS = [
    Attack("edit a payload, and put it back", "3", edit_and_put_back, WATCHER, f"main altered {VICTIM}"),
    Attack("edit a field, and undo it", "3", edit_a_field_and_undo, WATCHER, "main altered"),
    Attack("remove rows, and insert them again", "3", remove_and_insert, WATCHER, "payments altered"),
    Attack("edit all rows, and undo it", "3", edit_many_and_put_back, WATCHER, _ALL),
    Attack("hide rows by an index, and put the right one back", "3", remake_an_index, WATCHER, "database altered"),
    Attack("alter the copy of an anchor, and put it back", "3", alter_a_copy_and_put_back, WATCHER, "main altered"),
    Attack("drop the events, and restore them", "3", drop_and_restore, WATCHER, "database altered"),
    Attack("put other events in their place for a while", "3", swap_collections_and_back, WATCHER, "database altered"),
    Attack(
        "put back, and remove the watcher's position",
        "3",
        remove_the_position,
        WATCHER,
        f"main altered {VICTIM}; database altered",
    ),
    Attack(
        "put back, and forge the watcher's position",
        "3",
        forge_the_position,
        WATCHER,
        f"database incomplete; main altered {VICTIM}",
    ),
    Attack("put back, with an older position", "3", set_the_position_back, WATCHER, f"main altered {VICTIM}"),
    Attack("put back, and refuse the position", "3", refuse_the_position, INCREMENTAL, "database incomplete"),
]
