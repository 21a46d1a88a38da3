"""Attacks by someone with access to the database: single events edited, removed, added and moved."""

from uuid import uuid4

from bson import Int64

from eventlog.clock import now_millis
from local.demo.tamper import edit_payload
from local.drill.drafts import new_draft
from local.drill.log import Document, DrillLog

VICTIM = 17
"""The seq of the row that is changed, between two anchors."""
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


def backdate(log: DrillLog) -> None:
    """Append an event whose timestamp, which the client chooses, is ten years ago."""
    log.append("main", 1, timestamp=now_millis() - YEARS)


def send_nothing(_: DrillLog) -> None:
    """Do nothing: an event that is never sent is in no log."""


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


def _body_of(log: DrillLog, seq: int) -> str:
    event = log.events.find_one({"chain": "payments", "seq": seq}) or {}
    return f"{event['_id']}/{event['payload_hash'].hex()}"


def _emptied(event: Document) -> Document:
    return {"salt": event["salt"] + event["payload"].encode(), "payload": ""}
