"""Attacks on packs, which have the anchors of many chains, and on what says where they are."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bson import Int64

from eventlog.anchors.keys import claim_key, note_key
from eventlog.anchors.packs import FOLDER
from eventlog.anchors.places import PACKS
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.anchor import Anchor, sign_anchor, verify_anchor
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint
from eventlog.formats.pack import ObjectPlace, format_pack, parse_pack
from local.drill.attack import FULL, INCREMENTAL, REPORT, Attack
from local.drill.log import CHAINS, DrillLog
from local.drill.on_anchors import next_seal
from local.drill.on_chains import delete_without_trace
from local.drill.on_heads import put_older_rows_back

OLDER, NEWEST = 4, 8
"""The packs of the second anchors, and of the last ones; one before each has their claims."""


def path_of(log: DrillLog, number: int) -> Path:
    """Return where a pack is."""
    return log.folder / PACKS / FOLDER / f"{number:012}"


def entries(log: DrillLog, number: int) -> dict[ObjectPlace, bytes]:
    """Return what is in a pack."""
    return dict(parse_pack(path_of(log, number).read_bytes()).entries)


def put(log: DrillLog, number: int, found: Mapping[ObjectPlace, bytes]) -> None:
    """Make a pack, or put another one in its place."""
    path_of(log, number).unlink(missing_ok=True)
    path_of(log, number).write_bytes(format_pack(number, found))


def newest_anchor(log: DrillLog, chain: str) -> Anchor:
    """Return the newest anchor of a chain."""
    return verify_anchor(entries(log, NEWEST)[chain, note_key(4)], [log.key.public_key])


def remove_older(log: DrillLog) -> None:
    """Remove the pack of the second anchors."""
    path_of(log, OLDER).unlink()


def remove_newest(log: DrillLog) -> None:
    """Remove the newest pack."""
    path_of(log, NEWEST).unlink()


def spoil(log: DrillLog) -> None:
    """Alter a byte of a pack, so that nothing in it can be read."""
    data = path_of(log, OLDER).read_bytes()
    path_of(log, OLDER).unlink()
    path_of(log, OLDER).write_bytes(b"E" + data[1:])


def alter(log: DrillLog) -> None:
    """Make an anchor in a pack, of 21 events, one of 20."""
    found = entries(log, OLDER)
    place = "main", note_key(2)
    put(log, OLDER, found | {place: found[place].replace(b"\n21\n", b"\n20\n")})


def leave_out(log: DrillLog) -> None:
    """Put a pack in a pack's place that lacks one anchor."""
    found = entries(log, NEWEST)
    del found["main", note_key(4)]
    put(log, NEWEST, found)


def sign_otherwise(log: DrillLog) -> None:
    """Put the newest pack again with the same anchors, signed by another key."""
    create_key_file(log.folder / ".own")
    own, newest = KeyFile(log.folder / ".own"), {chain: newest_anchor(log, chain) for chain in CHAINS}
    found = {(chain, note_key(4)): sign_anchor(each.checkpoint, each.seal, [own]) for chain, each in newest.items()}
    put(log, NEWEST, found)


def false_claim(log: DrillLog) -> bytes:
    """Return a claim of the next anchor for a history that is not the log's."""
    newest = newest_anchor(log, "main")
    false = Checkpoint(newest.checkpoint.origin, newest.checkpoint.size + 1, bytes(32))
    return next_seal(newest).message(format_checkpoint(false))


def add_claim(log: DrillLog) -> None:
    """Make up the next pack, with a claim for another history, so that the audit signs it."""
    put(log, NEWEST + 1, {("main", claim_key(5, 1)): false_claim(log)})
    log.append("main", 3)


def claim_beside(log: DrillLog) -> None:
    """Put the same claim where it would be if the chain were not packed."""
    log.anchors.create("main", claim_key(5, 1), false_claim(log))
    log.append("main", 3)


def unpack(log: DrillLog) -> None:
    """Put an anchor in the place of the object that says that a chain is packed, and let it go on."""
    path = log.folder / "main" / claim_key(1, 1)
    path.unlink()
    path.write_bytes(entries(log, 2)["main", note_key(1)])
    log.append("main", 3)


def put_far_ahead(log: DrillLog) -> None:
    """Make up a pack far ahead, so that no auditor gets there."""
    put(log, 10**12 - 1, {("main", claim_key(5, 1)): false_claim(log)})


def name_another(log: DrillLog) -> None:
    """Have the database's copy of an anchor name another pack."""
    log.checkpoints.update_one({"chain": "main", "number": 2}, {"$set": {"pack": Int64(2)}})


def remove_list(log: DrillLog) -> None:
    """Remove the list of heads, and all that it says of packs."""
    log.raw("heads").delete_many({})


def roll_chain_back(log: DrillLog) -> None:
    """Put an older state of one chain back, and remove the list of heads."""
    put_older_rows_back(log, "payments")
    remove_list(log)


def delete_everywhere(log: DrillLog) -> None:
    """Delete a chain, copies, reports, its objects and what packs have of it, and the list of heads."""
    delete_without_trace(log)
    remove_list(log)
    for number in range(1, NEWEST + 1):
        put(log, number, {place: data for place, data in entries(log, number).items() if place[0] != "payments"})


def read_copy(log: DrillLog) -> list[str]:
    """Return what the chain main has been anchored as since, as if nothing had been done."""
    copy = log.checkpoints.find_one({"chain": "main"}, sort=[("number", -1)]) or {}
    return [f"main anchored {copy['size']} in pack {copy['pack']}"]


def read_list(log: DrillLog) -> list[str]:
    """Return what the audits have written in the place of the list of heads."""
    return [f"list of heads written again, {found['packs']} packs" for found in log.admin["heads"].find()]


_BOTH = "main {0}; payments {0}"
_MISSING, _INVALID = _BOTH.format("checkpoint_missing"), _BOTH.format("checkpoint_invalid")
_GOES_ON = "main anchored 42 in pack 10"
_UNREADABLE = f"{_MISSING}; eventlog.registry checkpoint_invalid"
_Packed = partial(Attack, packed=True)
ATTACKS = [
    _Packed("remove a pack of anchors", "3 + anchors", remove_older, FULL, _MISSING),
    _Packed("remove the newest pack", "3 + anchors", remove_newest, INCREMENTAL, _MISSING),
    _Packed("alter a pack so that it can't be read", "3 + anchors", spoil, FULL, _UNREADABLE),
    _Packed("alter an anchor in a pack", "3 + anchors", alter, FULL, "main checkpoint_invalid"),
    _Packed("leave an anchor out of a pack", "3 + anchors", leave_out, INCREMENTAL, "main checkpoint_missing"),
    _Packed("have another key sign what is in a pack", "3 + anchors", sign_otherwise, INCREMENTAL, _INVALID),
    _Packed(
        "make up the next pack, with a claim for another history",
        "3 + anchors",
        add_claim,
        INCREMENTAL,
        "main rewritten 39",
    ),
    _Packed("put that claim beside the packs", "3 + anchors", claim_beside, REPORT, _GOES_ON, read_copy),
    _Packed(
        "put an anchor where it says that a chain is packed",
        "3 + anchors",
        unpack,
        REPORT,
        _GOES_ON,
        read_copy,
    ),
    _Packed(
        "make up a pack far ahead",
        "3 + anchors",
        put_far_ahead,
        INCREMENTAL,
        "eventlog.registry checkpoint_invalid",
    ),
    _Packed("have the copy of an anchor name another pack", "3", name_another, FULL, "main checkpoint_invalid"),
    _Packed("remove the list of heads", "3", remove_list, REPORT, "list of heads written again, 8 packs", read_list),
    _Packed(
        "roll a packed chain back, and remove the list of heads",
        "3",
        roll_chain_back,
        INCREMENTAL,
        "payments truncated 21",
    ),
    _Packed(
        "delete a packed chain everywhere",
        "3 + anchors",
        delete_everywhere,
        INCREMENTAL,
        "payments checkpoint_missing",
    ),
]
"""In the order in which they are shown."""
