"""Attacks by someone with access to the database: rows edited, removed, moved and made again."""

from uuid import uuid4

from bson import Int64

from eventlog.anchors.registry import REGISTRY
from eventlog.clock import now_millis
from eventlog.formats import proof
from eventlog.store.interface import Draft
from local.demo.tamper import edit_payload
from local.drill.log import CHAINS, Document, DrillLog, new_draft

VICTIM = 17
"""The seq of the row that is changed, between two anchors."""
CUT = 35
"""The seq where a tail is cut, between the last two anchors."""
FORGED = {"amount": 1_000_000}
YEARS = 10 * 365 * 24 * 3_600_000


def edit(log: DrillLog) -> None:
    """Edit a payload."""
    edit_payload(log.events, "main", VICTIM)


def remove_payload(log: DrillLog) -> None:
    """Remove a payload that is stored apart from its event."""
    log.admin["bodies"].delete_one({"_id": _body_of(log, VICTIM)})


def alter_payload(log: DrillLog) -> None:
    """Alter a payload that is stored apart from its event."""
    log.admin["bodies"].update_one({"_id": _body_of(log, VICTIM)}, {"$set": {"payload": "{}"}})


def swap_payloads(log: DrillLog) -> None:
    """Swap the payloads of two events that are stored apart from them."""
    bodies = log.admin["bodies"]
    ids = [_body_of(log, seq) for seq in (VICTIM, VICTIM + 1)]
    for body_id, payload in zip(ids, [bodies.find_one({"_id": other})["payload"] for other in ids[::-1]], strict=True):  # type: ignore[index]
        bodies.update_one({"_id": body_id}, {"$set": {"payload": payload}})


def _body_of(log: DrillLog, seq: int) -> str:
    event = log.events.find_one({"chain": "payments", "seq": seq}) or {}
    return f"{event['_id']}/{event['payload_hash'].hex()}"


def edit_field(log: DrillLog) -> None:
    """Edit a field that queries use."""
    log.events.update_one({"chain": "main", "seq": VICTIM}, {"$set": {"source_id": "elsewhere"}})


def hide_payloads(log: DrillLog) -> None:
    """Move every payload of a chain into its salt: the hashed bytes, salt || payload, stay the same."""
    for event in log.events.find({"chain": "main"}):
        log.events.update_one({"_id": event["_id"]}, {"$set": _emptied(event)})


def hide_pending_payload(log: DrillLog) -> None:
    """Move the payload of an event that is acknowledged but not settled yet into its salt."""
    log.store.append("main", [new_draft("main", {"amount": number}) for number in range(2)])
    (entry, *rest) = sequence_of(log, "main")["pending"]
    log.sequences.update_one({"_id": "main"}, {"$set": {"pending": [entry | _emptied(entry), *rest]}})


def shift_border(log: DrillLog) -> None:
    """Move one byte of a payload into its salt."""
    event = event_at(log, VICTIM)
    salt, payload = event["salt"] + event["payload"][:1].encode(), event["payload"][1:]
    log.events.update_one({"_id": event["_id"]}, {"$set": {"salt": salt, "payload": payload}})


def refuse_findings(log: DrillLog) -> None:
    """Edit an event, and have the database refuse reports of it."""
    edit(log)
    log.admin.command("collMod", "audits", validator={"status": {"$ne": "tampered"}})


def refuse_reports(log: DrillLog) -> None:
    """Edit an event, and have the database refuse reports and leases of every kind."""
    edit(log)
    log.admin.command("collMod", "audits", validator={"never": True}, validationLevel="strict")


def delete_middle(log: DrillLog) -> None:
    """Delete an event in the middle."""
    log.events.delete_one({"chain": "main", "seq": VICTIM})


def insert(log: DrillLog) -> None:
    """Insert an event in the middle; those after it move up, and the sequence document counts one more."""
    for seq in reversed(range(VICTIM, 39)):
        log.events.update_one({"chain": "main", "seq": seq}, {"$inc": {"seq": Int64(1)}})
    forged = event_at(log, VICTIM + 1) | {"_id": "main/forged", "event_id": "forged", "seq": Int64(VICTIM)}
    log.events.insert_one(forged)
    log.sequences.update_one({"_id": "main"}, {"$inc": {"size": Int64(1), "settled.size": Int64(1)}})


def swap(log: DrillLog) -> None:
    """Swap the places of two events."""
    first, second = event_at(log, VICTIM), event_at(log, VICTIM + 3)
    for document, seq in ((first, -1), (second, VICTIM), (first, VICTIM + 3)):
        log.events.update_one({"_id": document["_id"]}, {"$set": {"seq": Int64(seq)}})


def duplicate(log: DrillLog) -> None:
    """Store an event twice, for which an index must be dropped."""
    log.events.drop_index("chain_1_seq_1")
    log.events.insert_one(event_at(log, VICTIM) | {"_id": f"main/{uuid4()}"})


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


def backdate(log: DrillLog) -> None:
    """Append an event whose timestamp, which the client chooses, is ten years ago."""
    log.append("main", 1, timestamp=now_millis() - YEARS)


def send_nothing(_: DrillLog) -> None:
    """Do nothing: an event that is never sent is in no log."""


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


def event_at(log: DrillLog, seq: int, chain: str = "main") -> Document:
    """Return a stored event, which must exist."""
    found = log.events.find_one({"chain": chain, "seq": seq})
    assert found is not None
    return found


def sequence_of(log: DrillLog, chain: str) -> Document:
    """Return a chain's sequence document, which must exist."""
    found = log.sequences.find_one({"_id": chain})
    assert found is not None
    return found


def _emptied(event: Document) -> Document:
    return {"salt": event["salt"] + event["payload"].encode(), "payload": ""}


def _in_other_chain(document: Document) -> Document:
    old, _, rest = document["_id"].partition("/")
    new = CHAINS[1 - CHAINS.index(old)]
    return document | ({"_id": f"{new}/{rest}", "chain": new} if rest else {"_id": new})
