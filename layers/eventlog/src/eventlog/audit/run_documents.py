"""How a running audit is stored, so that another process can go on with it.

Its document has the fields of a report (``report_documents.py``), then what it takes to go on (``AuditRun``), then
``voucher`` and ``vouched_at``: the signature of everything but ``lease``, and its time (``vouchers.py``). The order of
the fields is part of what is signed.
"""

from dataclasses import asdict
from hashlib import sha256
from typing import Any

from eventlog.anchors.walk import Reached
from eventlog.audit.report_documents import NOT_ALWAYS_STORED, encode_report, report_of
from eventlog.audit.run import AnchorWalk, AuditRun
from eventlog.audit.vouchers import voucher_fields, voucher_in
from eventlog.formats.event import ChainState
from eventlog.store.interface.audits import Counted
from eventlog.stored import codec
from eventlog.stored.fields import Fields, count, date, maybe_count, timestamp
from eventlog.stored.sequences import decode_settled, settled_fields
from eventlog.verify.verifier import VerifierState

_NEVER_SIGNED = {"lease", "voucher", "vouched_at"}


def encode_run(run: AuditRun) -> bytes:
    """Write the document of a running audit."""
    # Where nothing is anchored, nothing is signed, and the voucher's fields are not there.
    fields = _run_fields(run) | voucher_fields(run.voucher)
    return codec.join(encode_report(run.report, run.lease), codec.encode(fields))


def read_run(raw: bytes) -> AuditRun:
    """Read the running audit in a stored document.

    Raises:
        NotOursError: another version stored it, or it was damaged.
    """
    document = codec.decode(raw)
    fields = Fields(NOT_ALWAYS_STORED | document)
    walk, state = fields.inner("walk"), fields.inner("state")
    return AuditRun(
        report=report_of(fields),
        lease=fields.date("lease"),
        walk=AnchorWalk(
            reached=_reached(walk.inner("reached")),
            rewritten=walk.get("rewritten", bool),
            last=fields.count("last_anchor"),
            copied=fields.count("copied"),
        ),
        known=_chain_state(fields.maybe("known", dict)),
        read_at=fields.maybe_timestamp("read_at"),
        origin=fields.get("origin", str),
        size=fields.maybe_count("size"),
        tail=fields.hashes("tail"),
        unreached=fields.maybe_count("unreached"),
        target=_chain_state(fields.maybe("target", dict)),
        position=fields.count("position"),
        state=VerifierState(
            size=state.count("size"),
            links=state.hashes("links"),
            # A node that a finding has left unknown is null.
            frontier=state.maybe_hashes("frontier"),
            hole=state.get("hole", bool),
        ),
        ordered=fields.count("ordered") if "ordered" in document else 0,
        counted=_counted(fields) if "counted" in document else None,
        trusts_since=fields.date("trusts_since") if "trusts_since" in document else None,
        voucher=voucher_in(document),
    )


def voucher_message(raw: bytes, time: int) -> bytes:
    """Build what is signed at ``time`` of a stored running audit: all of it but the lease and the signature.

    Version 1 had no time: one that was kept could be put back for ever. Nothing believes it any more.

    Raises:
        NotOursError: it can't be decoded.
    """
    signed = {name: value for name, value in codec.decode(raw).items() if name not in _NEVER_SIGNED}
    return f"eventlog/audit/v2\ntime {time}\nreport {sha256(codec.encode(signed)).hexdigest()}\n".encode()


def _run_fields(run: AuditRun) -> dict[str, Any]:
    reached, state = run.walk.reached, run.state
    # asdict gives the fields in their order; only numbers need a type of their own in the document.
    numbers = {"number": count(reached.number), "size": count(reached.size), "time": count(reached.time)}
    fields = {
        "walk": {"reached": asdict(reached) | numbers, "rewritten": run.walk.rewritten},
        "last_anchor": count(run.walk.last),
        "copied": count(run.walk.copied),
        "known": None if run.known is None else settled_fields(run.known),
        "read_at": timestamp(run.read_at),
        "origin": run.origin,
        "size": maybe_count(run.size),
        "tail": run.tail,
        "unreached": maybe_count(run.unreached),
        "target": None if run.target is None else settled_fields(run.target),
        "position": count(run.position),
        "state": asdict(state) | {"size": count(state.size)},
    }
    # What not every audit has is not there in those that don't, as in those that earlier versions stored.
    if run.counted is not None:
        fields["counted"] = {name: _stored(each) for name, each in run.counted.items()}
    if run.ordered:
        fields["ordered"] = count(run.ordered)
    if run.trusts_since is not None:
        fields["trusts_since"] = date(run.trusts_since)
    return fields


def _stored(counted: Counted) -> dict[str, Any]:
    return counted._asdict() | {"events": count(counted.events)}


def _counted(fields: Fields) -> dict[str, Counted]:
    found = {name: fields.inner("counted").inner(name) for name in fields.get("counted", dict)}
    return {
        name: Counted(
            each.count("events"), each.maybe("place", bytes), each.get("done", bool), each.get("usable", bool)
        )
        for name, each in found.items()
    }


def _reached(fields: Fields) -> Reached:
    return Reached(
        fields.count("number"),
        fields.maybe_hash("digest"),
        fields.count("size"),
        fields.maybe_hash("root"),
        fields.count("time"),
        fields.maybe_hash("key"),
    )


def _chain_state(settled: dict[str, Any] | None) -> ChainState | None:
    return None if settled is None else decode_settled(settled)
