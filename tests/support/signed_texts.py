"""Every text that a key of the log or a witness signs: contents, how it is written and read back (``texts.py``)."""

import base64
import re
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st

from eventlog.formats.anchor import Seal, parse_claim
from eventlog.formats.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from eventlog.formats.cosignature import Subtree, format_cosigned, format_subtree, parse_cosigned, parse_subtree
from eventlog.formats.errors import EvidenceError
from eventlog.formats.governance import AnyOrder, Erasure, Hold, Release, event_id, format_order, parse_order
from eventlog.formats.governance_note import signed_message
from eventlog.formats.heads import Commitment, format_commitment, parse_commitment
from eventlog.formats.restore import Restore, format_restore, parse_restore
from eventlog.formats.round import RoundNote, format_round, parse_round
from eventlog.formats.segment import SegmentEnds, SegmentNote, format_segment, parse_segment
from eventlog.formats.standing import FullAudit, StandingFinding, StandingNote, format_standing, parse_standing
from eventlog.formats.strike_off import StrikeOff, format_strike_off, parse_strike_off
from eventlog.formats.times import MAX_MILLIS
from tests.support.texts import CHAIN, COUNT, HASH, LINE, MILLIS, Text, same

REASON = st.text(min_size=1, max_size=40).filter(str.isprintable)
RESTORE = st.builds(Restore, LINE, COUNT, COUNT, COUNT, MILLIS, REASON)
STRUCK = st.builds(StrikeOff, LINE, CHAIN, COUNT, HASH, MILLIS, REASON)
HEAD = st.builds(Checkpoint, LINE, COUNT, HASH)
SUBTREE = st.builds(Subtree, LINE, MILLIS, LINE, st.just(0), COUNT, HASH)
SEAL = st.builds(Seal, st.integers(1, 2**63 - 1), MILLIS, HASH)


ORIGIN = st.text(st.characters(exclude_characters="+", exclude_categories=["Z", "C"]), min_size=1, max_size=20)
ROUND = st.builds(
    RoundNote,
    origin=ORIGIN,
    round_id=st.uuids().map(str),
    mode=st.sampled_from(["full", "incremental"]),
    started=MILLIS,
    finished=st.just(MAX_MILLIS),
    chains=st.integers(9, 2**53),
    tampered=st.integers(0, 9),
)
UUID = st.uuids().map(str)
CLEAN = st.builds(FullAudit, UUID, st.just("intact"), MILLIS, MILLIS, COUNT)
FULL = st.builds(FullAudit, UUID, st.sampled_from(["intact", "tampered", "incomplete"]), MILLIS, MILLIS, COUNT)
KIND = st.sampled_from(["missing", "payload_mismatch"])
OPEN = st.builds(StandingFinding, KIND, st.none() | COUNT, MILLIS, UUID)
STANDING = st.lists(OPEN, max_size=3).flatmap(
    lambda findings: st.builds(
        StandingNote,
        origin=ORIGIN,
        chain=st.just("") | CHAIN,
        time=MILLIS,
        full=st.none() | FULL,
        intact=st.none() | CLEAN,
        total=st.integers(len(findings), 2**40) if findings else st.just(0),
        findings=st.just(tuple(findings)),
    )
)


def segment(length: int, start: int, ends: SegmentEnds, **fields: Any) -> SegmentNote:
    """A segment of 2^length events, clean or not."""
    begin = start << length
    skew: dict[str, Any] = {"skewed": 1, "skew_seq": begin, "skew_millis": -5} if fields["found"] % 2 else {}
    erased: dict[str, Any] = {} if fields["found"] else {"erased": start % 2, "erasures": start // 2 % 2}
    kept = SegmentEnds(ends.before, ends.after, ends.nodes[:length])
    return SegmentNote(
        start=begin,
        end=begin + (1 << length),
        ended=MAX_MILLIS,
        ends=None if fields["found"] else kept,
        **fields,
        **skew,
        **erased,
    )


ENDS = st.builds(SegmentEnds, HASH, HASH, st.tuples(HASH, HASH, HASH))
SEGMENT = st.builds(
    segment,
    length=st.integers(1, 3),
    start=st.integers(0, 2**50),
    ends=ENDS,
    origin=ORIGIN,
    chain=CHAIN,
    audit_id=UUID,
    began=MILLIS,
    found=st.integers(0, 2),
)


def write_segment(note: SegmentNote) -> bytes:
    """As the page of the format says."""
    ends, dash = note.ends, "-"
    nodes = dash if ends is None else " ".join(node.hex() for node in ends.nodes)
    erased = note.erased or note.erasures
    return (
        f"eventlog/segment/v{2 if erased else 1}\n{note.origin}\nchain {note.chain}\nrange {note.start} {note.end}\n"
        f"audit {note.audit_id}\ntime {note.began} {note.ended}\nfound {note.found}\n"
        f"skew {note.skewed} {dash if note.skew_seq is None else note.skew_seq} {note.skew_millis}\n"
        + (f"erased {note.erased} {note.erasures}\n" if erased else "")
        + f"before {dash if ends is None else ends.before.hex()}\nafter {dash if ends is None else ends.after.hex()}\n"
        f"nodes {nodes}\n"
    ).encode()


ASKED: dict[str, Any] = {
    "origin": ORIGIN,
    "chain": CHAIN,
    "request": UUID,
    "time": MILLIS,
    "by": REASON,
    "reason": REASON,
}
TARGETS = st.dictionaries(st.integers(0, 2**63 - 2), HASH, min_size=1, max_size=4).map(
    lambda found: tuple(sorted(found.items()))
)
BASIS = st.from_regex(r"[a-z0-9.-]{1,64}", fullmatch=True)
PEOPLE = st.tuples(REASON, st.none() | REASON).filter(lambda two: two[0] != two[1])
ERASURE = PEOPLE.flatmap(
    lambda two: st.builds(
        Erasure, **ASKED | {"by": st.just(two[0])}, approved=st.just(two[1]), basis=BASIS, targets=TARGETS
    )
)
SPAN = st.none() | st.tuples(st.integers(0, 2**62), st.integers(2**62 + 1, 2**63 - 1))
HOLD = st.builds(Hold, **ASKED, span=SPAN, until=st.none() | MILLIS)
RELEASE = st.builds(Release, **ASKED, hold=st.from_regex(r"eventlog\.hold-[0-9a-f]{32}", fullmatch=True))


def write_order(order: AnyOrder) -> bytes:
    """As the page of the format says."""
    kind = {"Erasure": "erasure", "Hold": "hold", "Release": "release"}[type(order).__name__]
    lines = [f"eventlog/{kind}/v1", f"{order.origin}/{order.chain}", f"request {order.request}"]
    lines += [f"time {order.time}", f"by {order.by}"]
    if isinstance(order, Erasure):
        lines += [] if order.approved is None else [f"approved {order.approved}"]
        lines += [f"basis {order.basis}", f"reason {order.reason}", f"events {len(order.targets)}"]
        lines += [f"{seq} {base64.b64encode(leaf).decode()}" for seq, leaf in order.targets]
    elif isinstance(order, Hold):
        lines.append("range -" if order.span is None else f"range {order.span[0]} {order.span[1]}")
        lines += ["until -" if order.until is None else f"until {order.until}", f"reason {order.reason}"]
    else:
        lines += [f"hold {order.hold}", f"reason {order.reason}"]
    return "".join(f"{line}\n" for line in lines).encode()


def read_governed(data: bytes) -> tuple[bytes]:
    """As ``signed_message`` writes it; the code only ever compares, so it has no parser of its own."""
    found = re.fullmatch(rb"eventlog/governance/v1\n([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not what a governance key signs")
    return (bytes.fromhex(found[1].decode()),)


def write_standing(standing: StandingNote) -> bytes:
    """As the page of the format says."""
    full, clean, dash = standing.full, standing.intact, "-"
    lines = ["eventlog/standing/v1", standing.origin, f"chain {standing.chain or dash}", f"time {standing.time}"]
    shown = dash if full is None else f"{full.audit_id} {full.status} {full.started} {full.finished} {full.events}"
    lines.append(f"full {shown}")
    shown = dash if clean is None else f"{clean.audit_id} {clean.started} {clean.finished} {clean.events}"
    lines += [f"intact {shown}", f"open {standing.total}"]
    lines += [
        f"{one.kind} {dash if one.seq is None else one.seq} {one.found} {one.audit_id}" for one in standing.findings
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def read_voucher(data: bytes) -> tuple[int, bytes]:
    """As ``voucher_message`` writes it; the code only ever compares, so it has no parser of its own."""
    found = re.fullmatch(rb"eventlog/audit/v2\ntime ([0-9]+)\nreport ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a voucher")
    return int(found[1]), bytes.fromhex(found[2].decode())


def read_position_voucher(data: bytes) -> tuple[bytes]:
    """As ``watch_message`` writes it."""
    found = re.fullmatch(rb"eventlog/watch/v1\nposition ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a position")
    return (bytes.fromhex(found[1].decode()),)


def read_round_voucher(data: bytes) -> tuple[str, int, bytes]:
    """As ``round_message`` writes it."""
    found = re.fullmatch(rb"eventlog/audit-round/v1\nlog ([^\n]+)\ntime ([0-9]+)\nround ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a voucher")
    return found[1].decode(), int(found[2]), bytes.fromhex(found[3].decode())


def read_count_voucher(data: bytes) -> tuple[str, int, bytes]:
    """As ``count_message`` writes it."""
    found = re.fullmatch(rb"eventlog/segment-count/v1\nlog ([^\n]+)\ntime ([0-9]+)\ncount ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a voucher")
    return found[1].decode(), int(found[2]), bytes.fromhex(found[3].decode())


def read_heads_voucher(data: bytes) -> tuple[str, int, bytes]:
    """As ``heads_message`` writes it."""
    found = re.fullmatch(rb"eventlog/audit-heads/v1\nlog ([^\n]+)\ntime ([0-9]+)\nheads ([0-9a-f]{64})\n", data)
    if found is None:
        raise EvidenceError("not a voucher")
    return found[1].decode(), int(found[2]), bytes.fromhex(found[3].decode())


def write_subtree(subtree: Subtree) -> bytes:
    """As C2SP tlog-cosignature has it: each name after one byte with its length."""
    names = [bytes([len(name.encode())]) + name.encode() for name in (subtree.cosigner, subtree.origin)]
    time, start, end = (number.to_bytes(8, "big") for number in (subtree.time, subtree.start, subtree.end))
    return b"".join((b"subtree/v1\n\0", names[0], time, names[1], start, end, subtree.root))


SIGNED: dict[str, Text] = {
    "checkpoint": Text(
        st.tuples(HEAD),
        lambda head: f"{head.origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n".encode(),
        lambda d: (parse_checkpoint(d.decode()),),
        lambda head: format_checkpoint(head).encode(),
        same,
    ),
    "seal": Text(
        st.tuples(HEAD, SEAL),
        lambda head, seal: (
            f"eventlog/anchor/v1\nnumber {seal.number}\ntime {seal.time}\nprevious {seal.previous.hex()}\n"
            f"{head.origin}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"
        ).encode(),
        parse_claim,
        lambda head, seal: seal.message(format_checkpoint(head)),
        same,
    ),
    "cosignature": Text(
        st.tuples(MILLIS, HEAD.map(format_checkpoint)),
        lambda time, text: f"cosignature/v1\ntime {time}\n{text}".encode(),
        parse_cosigned,
        format_cosigned,
        same,
    ),
    "subtree": Text(
        st.tuples(SUBTREE),
        write_subtree,
        lambda d: (parse_subtree(d),),
        format_subtree,
        same,
    ),
    "restore": Text(
        st.tuples(RESTORE),
        lambda r: (
            f"eventlog/restore/v1\n{r.origin}\nnumber {r.number}\nkept {r.kept} {r.kept_size}\n"
            f"time {r.time}\n{r.reason}\n"
        ).encode(),
        lambda d: (parse_restore(d.decode()),),
        lambda restore: format_restore(restore).encode(),
        same,
    ),
    "strike-off": Text(
        st.tuples(STRUCK),
        lambda s: (
            f"eventlog/strike-off/v1\n{s.origin}\nchain {s.chain}\nentry {s.seq} {s.hash.hex()}\n"
            f"time {s.time}\n{s.reason}\n"
        ).encode(),
        lambda d: (parse_strike_off(d.decode()),),
        lambda struck: format_strike_off(struck).encode(),
        same,
    ),
    "governance": Text(
        st.tuples(HASH),
        lambda text: f"eventlog/governance/v1\n{text.hex()}\n".encode(),
        read_governed,
        lambda text: f"eventlog/governance/v1\n{text.hex()}\n".encode(),
        same,
    ),
    "round": Text(
        st.tuples(ROUND),
        lambda r: (
            f"eventlog/round/v1\n{r.origin}\nround {r.round_id}\nmode {r.mode}\nstarted {r.started}\n"
            f"finished {r.finished}\nchains {r.chains} {r.tampered}\n"
        ).encode(),
        lambda d: (parse_round(d.decode()),),
        lambda found: format_round(found).encode(),
        same,
    ),
    "standing": Text(
        st.tuples(STANDING),
        write_standing,
        lambda d: (parse_standing(d.decode()),),
        lambda standing: format_standing(standing).encode(),
        same,
    ),
    "segment": Text(
        st.tuples(SEGMENT),
        write_segment,
        lambda d: (parse_segment(d.decode()),),
        lambda note: format_segment(note).encode(),
        same,
    ),
    "count-voucher": Text(
        st.tuples(ORIGIN, MILLIS, HASH),
        lambda log, time, state: f"eventlog/segment-count/v1\nlog {log}\ntime {time}\ncount {state.hex()}\n".encode(),
        read_count_voucher,
        lambda log, time, state: f"eventlog/segment-count/v1\nlog {log}\ntime {time}\ncount {state.hex()}\n".encode(),
        same,
    ),
    "voucher": Text(
        st.tuples(MILLIS, HASH),
        lambda time, report: f"eventlog/audit/v2\ntime {time}\nreport {report.hex()}\n".encode(),
        read_voucher,
        lambda time, report: f"eventlog/audit/v2\ntime {time}\nreport {report.hex()}\n".encode(),
        same,
    ),
    "position": Text(
        st.tuples(HASH),
        lambda position: f"eventlog/watch/v1\nposition {position.hex()}\n".encode(),
        read_position_voucher,
        lambda position: f"eventlog/watch/v1\nposition {position.hex()}\n".encode(),
        same,
    ),
    "commitment": Text(
        st.tuples(ORIGIN, st.builds(Commitment, time=MILLIS, count=COUNT, root=HASH)),
        lambda log, made: (
            f"eventlog/heads/v1\n{log}\ntime {made.time}\ncount {made.count}\nroot {made.root.hex()}\n"
        ).encode(),
        parse_commitment,
        format_commitment,
        same,
    ),
    "heads-voucher": Text(
        st.tuples(ORIGIN, MILLIS, HASH),
        lambda log, time, state: f"eventlog/audit-heads/v1\nlog {log}\ntime {time}\nheads {state.hex()}\n".encode(),
        read_heads_voucher,
        lambda log, time, state: f"eventlog/audit-heads/v1\nlog {log}\ntime {time}\nheads {state.hex()}\n".encode(),
        same,
    ),
    "round-voucher": Text(
        st.tuples(ORIGIN, MILLIS, HASH),
        lambda log, time, state: f"eventlog/audit-round/v1\nlog {log}\ntime {time}\nround {state.hex()}\n".encode(),
        read_round_voucher,
        lambda log, time, state: f"eventlog/audit-round/v1\nlog {log}\ntime {time}\nround {state.hex()}\n".encode(),
        same,
    ),
}
"""By what a key of the log, or of a witness, says with it. No text of one kind is one of another kind."""

ORDERS: dict[str, Text] = {
    "formats.governance:event_id": Text(
        st.tuples(ERASURE | HOLD | RELEASE),
        write_order,
        lambda d: (parse_order(d.decode()),),
        event_id,
        lambda d: f"{parse_order(d.decode()).event_type}-{sha256(d).hexdigest()[:32]}",
    ),
    "formats.governance_note:signed_message": Text(
        st.tuples(ERASURE | HOLD | RELEASE),
        write_order,
        lambda d: (parse_order(d.decode()),),
        lambda order: signed_message(format_order(order)),
        lambda d: f"eventlog/governance/v1\n{sha256(d).hexdigest()}\n".encode(),
    ),
}
"""Texts of which a governance key signs the hash: by the function that hashes."""
