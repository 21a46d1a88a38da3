"""Attacks by someone with access to the database: whole chains cut, removed, made again and put back."""

from bson import Int64

from eventlog.anchors.registry import REGISTRY
from eventlog.formats import proof
from eventlog.store.interface import Draft
from local.drill.drafts import new_draft
from local.drill.log import CHAINS, Document, DrillLog
from local.drill.on_events import VICTIM, event_at

CUT = 35
"""The seq where a tail is cut, between the last two anchors."""
FORGED = {"amount": 1_000_000}


def swap_chains(log: DrillLog) -> None:
    """Give each chain the other's events and sequence document."""
    for collection in (log.events, log.sequences):
        found = list(collection.find({"chain" if collection is log.events else "_id": {"$in": list(CHAINS)}}))
        collection.delete_many({"_id": {"$in": [document["_id"] for document in found]}})
        collection.insert_many([_in_other_chain(document) for document in found])


def cut_events(log: DrillLog) -> None:
    """Cut the tail, but leave the sequence document."""
    log.events.delete_many({"chain": "main", "seq": {"$gte": CUT}})


def cut_tail(log: DrillLog) -> None:
    """Cut the tail, and set the sequence document back."""
    set_back(log, "main", CUT)


def set_sequence_back(log: DrillLog) -> None:
    """Set the sequence document back, but leave the events."""
    log.sequences.update_one({"_id": "main"}, {"$set": {"size": Int64(CUT), "settled": settled_at(log, "main", CUT)}})


def delete_all(log: DrillLog) -> None:
    """Delete all events and all sequence documents."""
    log.events.delete_many({})
    log.sequences.delete_many({})


def delete_chain(log: DrillLog) -> None:
    """Delete a chain."""
    remove_chain(log, "payments")


def delete_records(log: DrillLog) -> None:
    """Delete a chain, the copies of anchors and the reports."""
    remove_chain(log, "payments")
    remove_records(log)


def delete_without_trace(log: DrillLog) -> None:
    """Delete a chain, copies, reports and the chain's anchors."""
    delete_records(log)
    log.remove_anchors("payments")


def rewrite_chain(log: DrillLog) -> None:
    """Rewrite a chain from the first event on, with fresh hashes."""
    log.store.append("main", take(log, "main", 0))
    log.store.settle("main")


def rewrite_middle(log: DrillLog) -> None:
    """Rewrite a chain from an event between two anchors on, and delete the reports about it."""
    log.store.append("main", take(log, "main", VICTIM))
    log.store.settle("main")
    remove_records(log)


def rewrite_beside_a_damaged_mark(log: DrillLog) -> None:
    """Rewrite a chain, and plant a report whose claim of what was verified can't be read."""
    rewrite_chain(log)
    log.audits.insert_one({"_id": "0", "chain": "main", "status": "intact", "to_seq": Int64(2**62), "verified": 1})


def rewrite_tail(log: DrillLog) -> None:
    """Rewrite events that were logged after the newest anchor."""
    log.append("main", 5)
    log.store.append("main", take(log, "main", 40))
    log.store.settle("main")


def roll_back(log: DrillLog) -> None:
    """Restore a backup of the database."""
    log.put_back(log.earlier)


def roll_back_and_append(log: DrillLog) -> None:
    """Restore a backup, and append until the chains are longer than before."""
    log.put_back(log.earlier)
    for chain in CHAINS:
        log.append(chain, 20)


def roll_back_and_declare(log: DrillLog) -> None:
    """Restore a backup, and declare it."""
    log.put_back(log.earlier)
    for chain in (*CHAINS, REGISTRY):
        log.restore(chain, "the disk broke")


def take(log: DrillLog, chain: str, size: int) -> list[Draft]:
    """Cut everything from ``size`` on; return the same events with other payloads, to be logged again as new."""
    events = list(log.events.find({"chain": chain, "seq": {"$gte": size}}, sort=[("seq", 1)]))
    if size:
        set_back(log, chain, size)
    else:
        remove_chain(log, chain)
    names = ("event_id", "event_type", "source_id", "principal")
    times = ("timestamp", "received_at")
    return [
        new_draft(chain, FORGED, **{n: event[n] for n in names}, **{n: int(event[n]) for n in times})
        for event in events
    ]


def set_back(log: DrillLog, chain: str, size: int) -> None:
    """Cut a chain's tail, and set its sequence document back to that size."""
    settled = settled_at(log, chain, size)
    log.events.delete_many({"chain": chain, "seq": {"$gte": size}})
    log.sequences.update_one({"_id": chain}, {"$set": {"size": Int64(size), "settled": settled}})


def settled_at(log: DrillLog, chain: str, size: int) -> Document:
    """Return what the sequence document said about a chain when it had this size."""
    # The last event under a node has stored the node's hash: its own hash at level 0, then the nodes it completed.
    frontier = []
    for node in proof.cover(0, size):
        last = event_at(log, node.last, chain)
        frontier.append([last["hash"], *last["nodes"]][node.level])
    return {"size": Int64(size), "hash": event_at(log, size - 1, chain)["hash"], "frontier": frontier}


def remove_chain(log: DrillLog, chain: str) -> None:
    """Remove a chain's events and its sequence document."""
    log.events.delete_many({"chain": chain})
    log.sequences.delete_one({"_id": chain})


def remove_records(log: DrillLog) -> None:
    """Remove the copies of anchors, what witnesses have signed of them, and the audit reports."""
    log.checkpoints.delete_many({})
    log.raw("cosignatures").delete_many({})
    log.audits.delete_many({})


def _in_other_chain(document: Document) -> Document:
    old, _, rest = document["_id"].partition("/")
    new = CHAINS[1 - CHAINS.index(old)]
    return document | ({"_id": f"{new}/{rest}", "chain": new} if rest else {"_id": new})
