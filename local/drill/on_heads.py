"""Attacks on one chain among very many idle ones, and on the registry's commitment to the heads of all."""

from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.formats.heads import ANCHORED
from local.drill.attack import INCREMENTAL, Attack
from local.drill.log import DrillLog
from local.drill.on_chains import delete_without_trace, remove_chain


def become_quiet(log: DrillLog) -> None:
    """Let the log be as one with so many idle chains that no round looks at these in their turn."""
    log.looked_at = 0
    audited = [report.chain for report in log.audit("incremental")]
    assert audited == [REGISTRY], audited


def delete_quiet(log: DrillLog) -> None:
    """Delete a chain."""
    become_quiet(log)
    remove_chain(log, "payments")


def delete_quiet_without_trace(log: DrillLog) -> None:
    """Delete a chain, copies, reports and the chain's anchors."""
    become_quiet(log)
    delete_without_trace(log)


def rename_quiet(log: DrillLog) -> None:
    """Rename a chain, in every row."""
    become_quiet(log)
    for held in (log.events, log.checkpoints, log.audits):
        held.update_many({"chain": "payments"}, {"$set": {"chain": "other"}})
    sequence = log.sequences.find_one_and_delete({"_id": "payments"}) or {}
    log.sequences.insert_one(sequence | {"_id": "other"})


def roll_quiet_back(log: DrillLog) -> None:
    """Put an older state of one chain back, with the list of heads that was right for it."""
    become_quiet(log)
    put_older_rows_back(log, "payments")
    log.raw("heads").delete_many({})
    log.raw("heads").insert_many(log.earlier.documents["heads"])


def put_older_rows_back(log: DrillLog, chain: str) -> None:
    """Put an older state of one chain back, with its copies of anchors."""
    for name in ("events", "sequences", "checkpoints"):
        field = "_id" if name == "sequences" else "chain"
        older = [row for row in log.earlier.documents[name] if row[field] == chain]
        log.raw(name).delete_many({field: chain})
        log.raw(name).insert_many(older)


def forge_commitment(log: DrillLog) -> None:
    """Append a commitment to heads that are made up, as the audit appends them, without the key."""
    payload = {"count": 0, "root": "00" * 32, "signature": "00" * 64, "time": log.now()}
    Registry(log.store, log.now).write(REGISTRY, f"{ANCHORED}-{log.now():015}", ANCHORED, payload)


def drop_commitment(log: DrillLog) -> None:
    """Remove the newest commitment."""
    log.events.delete_one({"chain": REGISTRY, "seq": 5})


ATTACKS = [
    Attack("delete a chain among very many idle ones", "3", delete_quiet, INCREMENTAL, "payments truncated 0"),
    Attack(
        "the same, with all traces and its anchors",
        "3 + anchors",
        delete_quiet_without_trace,
        INCREMENTAL,
        "payments checkpoint_missing",
    ),
    Attack(
        "rename a chain among very many idle ones",
        "3",
        rename_quiet,
        INCREMENTAL,
        "other checkpoint_invalid; other sequence_mismatch; other content_mismatch 0..38; other link_mismatch 0; "
        "other payload_missing 5..6, 17..18, 26..27, 36..37; payments truncated 0",
    ),
    Attack("roll one back, and the list of heads with it", "3", roll_quiet_back, INCREMENTAL, "payments truncated 21"),
    Attack(
        "commit to heads that are made up", "3", forge_commitment, INCREMENTAL, "eventlog.registry checkpoint_invalid 6"
    ),
    Attack("remove the newest commitment", "3", drop_commitment, INCREMENTAL, "eventlog.registry missing 5"),
]
"""In the order in which they are shown."""
