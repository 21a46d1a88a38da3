"""Attacks on what audits keep in the database for later: leases, running audits, rounds.

In most of them days go by in which the attacker holds the lease of full audits, so that none is made. No audit can find
that; the age of the newest full round does, which is read from a signed note outside the database.
"""

from functools import partial
from typing import Any

import bson
from bson import ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument

from eventlog.audit.round import NAMES, encode_round, new_round, round_message
from eventlog.audit.run_documents import encode_run, voucher_message
from eventlog.store.mongo.audits import AuditStore
from eventlog.stored import codec
from eventlog.verify.fast_path import ClockSkew
from eventlog.verify.verifier import ChainVerifier
from local.drill.attack import ALARM, INCREMENTAL, Attack, ask_age
from local.drill.log import ORIGIN, DrillLog
from local.drill.on_chains import rewrite_chain
from local.drill.on_events import VICTIM, edit

ROUND = NAMES["full"]
DAYS = 3
SEEN = VICTIM + 3
"""How many events the audit that ran out of time has seen."""


def hold_lease(log: DrillLog) -> None:
    """Edit an event, and hold the lease of full audits from then on."""
    log.audit("full")
    edit(log)
    _wait(log)


def replay(log: DrillLog) -> None:
    """Keep a running audit that an audit has signed, edit what it has seen, and put it back each day."""
    log.audit("full")
    kept = _run_out_of_time(log)
    edit(log)
    for _ in range(DAYS):
        log.audits.replace_one({"_id": kept["_id"]}, kept, upsert=True)
        _wait(log, 1)


def put_round_back(log: DrillLog) -> None:
    """Keep the state of a round of which one chain is left, edit another chain, and put the state back each day."""
    log.audit("full")
    _leave(log, ["payments"])
    kept = log.audits.find_one({"_id": ROUND})
    assert kept is not None
    edit(log)
    for _ in range(DAYS):
        log.audits.replace_one({"_id": kept["_id"]}, kept, upsert=True)
        _wait(log, 1)


def claim_round(log: DrillLog) -> None:
    """Edit an event, and claim each day that a round has begun of which one other chain is left."""
    log.audit("full")
    edit(log)
    for _ in range(DAYS):
        claimed = codec.decode(encode_round(new_round("full", ["payments"], log.now())))
        forged = claimed | {"voucher": bytes(64), "vouched_at": claimed["started_at"]}
        log.audits.replace_one({"_id": ROUND}, forged, upsert=True)
        _wait(log, 1)


def audit_own_chain(log: DrillLog) -> None:
    """Edit an event of one chain, and have another chain audited each day, as its tenant may."""
    log.audit("full")
    edit(log)
    for _ in range(DAYS):
        auditor = log.auditor
        auditor.run(auditor.start("payments", "full"), 60)
        _wait(log, 1)


def plant_future(log: DrillLog) -> None:
    """Rewrite a chain, and plant a running audit that asks the database for a moment of the future."""
    _plant(log, read_at=Timestamp(2**32 - 1, 1))


def plant_no_text(log: DrillLog) -> None:
    """Rewrite a chain, and plant a running audit whose id is no text."""
    _plant(log, _id=ObjectId("0" * 24))


def plant_broken_text(log: DrillLog) -> None:
    """Rewrite a chain, and plant a running audit whose id is no UTF-8."""
    _plant(log, _id="xxx")


def _plant(log: DrillLog, **fields: Any) -> None:
    run = log.auditor.start("main", "full")
    document = codec.decode(encode_run(run)) | {"lease": None} | fields
    log.audits.delete_one({"_id": run.report.audit_id})
    raw = bson.encode(document, codec_options=codec.CODEC).replace(b"xxx", b"\xff\xff\xff")
    log.audits.with_options(codec_options=codec.RAW).insert_one(RawBSONDocument(raw))
    rewrite_chain(log)


def _run_out_of_time(log: DrillLog) -> dict[str, Any]:
    """Leave a full audit as one that has seen some events and has run out of time; return what it has stored."""
    run = log.auditor.start("main", "full")
    rows = AuditStore(log.store).scan("main", 0, SEEN)
    run.position = ChainVerifier(run.state, run.emit, ClockSkew()).documents("main", rows)
    run.let_go(log.now())
    run.voucher = log.vouchers.sign(partial(voucher_message, encode_run(run)))
    AuditStore(log.store).save(run.report.audit_id, encode_run(run))
    return codec.decode(encode_run(run))


def _leave(log: DrillLog, chains: list[str]) -> None:
    """Store a round as an audit does that has run out of time before these chains."""
    left = new_round("full", chains, log.now())
    voucher = log.vouchers.sign(partial(round_message, encode_round(left), ORIGIN))
    AuditStore(log.store).save(ROUND, encode_round(left, voucher))


def _wait(log: DrillLog, days: int = DAYS) -> None:
    """Let days go by, on each of which the schedule audits, and the lease of full audits is held."""
    for _ in range(days):
        log.ahead += 86_400_000
        held = {"holder": "nobody we know", "lease": {"$add": ["$$NOW", 29_000]}}
        log.audits.update_one({"_id": "schedule/full"}, [{"$set": held}], upsert=True)
        log.audit("incremental")
        log.audit("full")
        log.audits.update_one({"_id": "schedule/full"}, [{"$set": held}], upsert=True)


_NO_ROUND = f"no full round for {DAYS} days"
ATTACKS = [
    Attack("edit a payload, and hold the lease of full audits", "3", hold_lease, ALARM, _NO_ROUND, ask_age),
    Attack("the same, and put a signed running audit back each day", "3", replay, ALARM, _NO_ROUND, ask_age),
    Attack("the same, and put the state of a round back", "3", put_round_back, ALARM, _NO_ROUND, ask_age),
    Attack("the same, and claim that a round is nearly done", "3", claim_round, ALARM, _NO_ROUND, ask_age),
    Attack("the same, while a tenant audits another chain", "3", audit_own_chain, ALARM, _NO_ROUND, ask_age),
    Attack(
        "rewrite a chain, and plant a running audit of the future",
        "4",
        plant_future,
        INCREMENTAL,
        "main unexpected; main rewritten 38",
    ),
    Attack(
        "rewrite a chain, and plant a running audit whose id is no text",
        "4",
        plant_no_text,
        INCREMENTAL,
        "main unexpected; database unexpected; main rewritten 38",
    ),
    Attack(
        "rewrite a chain, and plant a running audit whose id is no UTF-8",
        "4",
        plant_broken_text,
        INCREMENTAL,
        "main unexpected; main rewritten 38",
    ),
]
