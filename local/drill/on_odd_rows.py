"""Attacks by planted rows that no append, audit or anchor wrote, in each of the four collections."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from bson import Binary, Int64, ObjectId, Regex

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.anchors.walk import copy_of
from eventlog.formats.anchor import sign_anchor, verify_anchor
from eventlog.stored.anchor_copies import copy_fields
from local.drill.attack import FULL, INCREMENTAL, Attack
from local.drill.log import Document, DrillLog
from local.drill.on_anchors import newest_anchor, next_seal

BESIDE = "database unexpected"


def plant_event(log: DrillLog, chain: Any) -> None:
    """Plant a row in events, right in every way but for its chain."""
    row = log.events.find_one({"chain": "main", "seq": 3}) or {}
    log.events.insert_one(row | {"_id": "ghost/1", "chain": chain})


def plant_copy(log: DrillLog, **fields: Any) -> None:
    """Plant a copy of an anchor, like the newest of the chain main but for these fields."""
    row = log.checkpoints.find_one({"chain": "main", "number": 4}) or {}
    log.checkpoints.insert_one(row | {"_id": f"{fields.get('chain')}/{fields.get('number', 4):012}"} | fields)


def plant(collection: str, row: Document) -> Callable[[DrillLog], None]:
    """Return the attack that puts a row into a collection."""

    def act(log: DrillLog) -> None:
        log.admin[collection].insert_one(dict(row))

    return act


def event_of(chain: Any) -> Callable[[DrillLog], None]:
    """Return the attack ``plant_event`` with this chain."""
    return partial(plant_event, chain=chain)


def plant_far_out(log: DrillLog) -> None:
    """Plant an event at a seq that no audit reaches step by step, and remove the document that says where to stop."""
    row = log.events.find_one({"chain": "main", "seq": 3}) or {}
    log.events.insert_one(row | {"_id": "main/far", "seq": 1e15 + 0.5})
    log.sequences.delete_one({"_id": "main"})


def plant_note(log: DrillLog) -> None:
    """Plant a newest checkpoint with another root, signed by a key of one's own."""
    create_key_file(log.folder / ".own")
    newest = newest_anchor(log)
    false = replace(newest.checkpoint, root=b"r" * 32)
    own = KeyFile(log.folder / ".own")
    anchor = verify_anchor(sign_anchor(false, next_seal(newest), [own]), [own.public_key])
    log.checkpoints.insert_one(copy_fields(copy_of("main", anchor)))


def copy_with(**fields: Any) -> Callable[[DrillLog], None]:
    """Return the attack ``plant_copy`` with these fields."""
    return partial(plant_copy, **fields)


ATTACKS = [
    Attack(
        "plant an event whose chain is an array",
        "3",
        event_of(["ghost"]),
        INCREMENTAL,
        "ghost sequence_mismatch; ghost missing 0; ghost unexpected 3",
    ),
    Attack("plant an event whose chain is a pattern", "3", event_of(Regex("^main$")), INCREMENTAL, BESIDE),
    Attack("plant an event without a chain", "3", event_of(None), INCREMENTAL, BESIDE),
    Attack(
        "plant a sequence document whose id is bytes",
        "3",
        plant("sequences", {"_id": Binary(b"main")}),
        INCREMENTAL,
        BESIDE,
    ),
    Attack(
        "plant a copy of an anchor of no chain",
        "3",
        copy_with(_id="x", chain=["main"]),
        INCREMENTAL,
        f"{BESIDE}; main checkpoint_invalid",
    ),
    Attack(
        "plant a copy of an anchor of a chain that never was",
        "3",
        copy_with(chain="ghost"),
        INCREMENTAL,
        "ghost checkpoint_missing",
    ),
    Attack(
        "plant a copy of an anchor under another id",
        "3",
        copy_with(_id="main/x", number=Int64(2)),
        FULL,
        f"{BESIDE}; main checkpoint_invalid",
    ),
    Attack("plant a newest checkpoint", "3", plant_note, INCREMENTAL, "main checkpoint_missing"),
    Attack(
        "plant a report whose id is no text",
        "3",
        plant("audits", {"_id": ObjectId("0" * 24), "chain": "main"}),
        INCREMENTAL,
        BESIDE,
    ),
    Attack(
        "plant a row among the reports that is none", "3", plant("audits", {"_id": "0", "chain": "main"}), FULL, BESIDE
    ),
    Attack(
        "plant an event far out, so that an audit never ends",
        "3",
        plant_far_out,
        INCREMENTAL,
        "main sequence_mismatch; main unexpected",
    ),
]
