"""Attacks by who empties payloads as an erasure does: without an order, beyond it, by one that does not count."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from eventlog.formats.governance import AnyOrder, Erasure, Hold, event_id
from eventlog.formats.governance_note import sign_order
from local.drill.attack import FULL, INCREMENTAL, REPORT, Attack
from local.drill.drafts import new_draft
from local.drill.governance import GOVERNANCE, STRANGER, MemoryKey
from local.drill.log import ORIGIN, DrillLog
from local.drill.on_events import VICTIM


def blank(log: DrillLog, *seqs: int, **more: bytes) -> None:
    """Empty payload and salt of events."""
    for seq in seqs:
        log.events.update_one({"chain": "main", "seq": seq}, {"$set": {"payload": "", "salt": b"", **more}})


def order_erasure(log: DrillLog, seqs: Sequence[int], key: MemoryKey = GOVERNANCE) -> None:
    """Log an order to erase events."""
    rows = log.events.find({"chain": "main", "seq": {"$in": list(seqs)}}).sort("seq", 1)
    targets = tuple((int(row["seq"]), bytes(row["hash"])) for row in rows)
    _log(log, Erasure(**_asked(), basis="gdpr-art-17", targets=targets), key)


def blank_without_order(log: DrillLog) -> None:
    """Empty an event, and order nothing."""
    blank(log, VICTIM)


def blank_by_forged_order(log: DrillLog) -> None:
    """Empty an event by an order that no governance key has signed."""
    order_erasure(log, [VICTIM], STRANGER)
    blank(log, VICTIM)


def blank_more_than_ordered(log: DrillLog) -> None:
    """Empty two events by an order that names one."""
    order_erasure(log, [VICTIM])
    blank(log, VICTIM, VICTIM + 1)


def blank_the_hash_too(log: DrillLog) -> None:
    """Empty an event by an order, and make the hash of its payload another."""
    order_erasure(log, [VICTIM])
    blank(log, VICTIM, payload_hash=bytes(32))


def blank_what_is_held(log: DrillLog) -> None:
    """Empty an event by an order, though a hold keeps it."""
    _log(log, Hold(**_asked(), span=(VICTIM, VICTIM + 1)), GOVERNANCE)
    order_erasure(log, [VICTIM])
    blank(log, VICTIM)


def erase_honestly(log: DrillLog) -> None:
    """Erase an event as the log does: once the order is anchored."""
    order_erasure(log, [VICTIM])
    log.audit("incremental")
    blank(log, VICTIM)


def read_erased(log: DrillLog) -> list[str]:
    """Return what the newest full audit of the chain says is erased."""
    report = log.audits.find_one({"chain": "main", "mode": "full", "erased": {"$exists": True}}, sort=[("_id", -1)])
    return [f"main erased {report['erased']}"] if report else []


def _asked() -> dict[str, Any]:
    return {
        "origin": ORIGIN,
        "chain": "main",
        "request": str(uuid4()),
        "time": 1_700_000_000_000,
        "by": "privacy",
        "reason": "asked to",
    }


def _log(log: DrillLog, order: AnyOrder, key: MemoryKey) -> None:
    payload = {"note": sign_order(order, [key]).decode()}
    names = {"event_id": event_id(order), "event_type": order.event_type, "source_id": "eventlog/erase"}
    log.store.append("main", [new_draft("main", payload, **names)])
    log.store.settle("main")


ATTACKS = [
    Attack("blank an event without an order", "3", blank_without_order, FULL, "main payload_missing 17"),
    Attack(
        "blank an event by an order that no governance key signed",
        "4",
        blank_by_forged_order,
        INCREMENTAL,
        "main erasure_invalid 39",
    ),
    Attack(
        "blank two events by an order that names one", "3", blank_more_than_ordered, FULL, "main payload_missing 18"
    ),
    Attack("blank an event by an order, and its hash", "3", blank_the_hash_too, FULL, "main content_mismatch 17"),
    Attack("erase an event that a hold keeps", "3", blank_what_is_held, FULL, "main erasure_invalid 17"),
    Attack("erase an event by order", "1", erase_honestly, REPORT, "main erased 1", read_erased),
]
