"""Asks one witness to cosign one checkpoint (C2SP tlog-witness), and understands older dialects of its answers too.

200                      its cosignatures: those of known keys that verify, and whose time is ours
409 with a size s        s < n: once more, from s; s = n: once more, without a proof; s > n: it is ahead
409 otherwise, 422       it holds a tree that this one does not extend
403, 404                 it does not know this log
anything else, nothing   it is silent
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventlog.formats.checkpoint import Checkpoint, verify_checkpoint
from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, Signature, VerifierKey, parse_note
from eventlog.formats.witness_protocol import (
    SIZE_TYPE,
    AddCheckpoint,
    format_request,
    origin_hash,
    parse_answer,
    parse_size,
)
from eventlog.store.errors import StoreError
from eventlog.stored.witness_records import CosigningState
from eventlog.witnessing.http_call import NoReplyError, WitnessCall, WitnessReply

CLOCK_SECONDS = 300
"""How far the time in a cosignature may be from ours."""
_HELD_OTHERWISE = {409, 422}
_UNKNOWN = {403, 404}
_SHOWN = 200

ProofFrom = Callable[[int], Sequence[bytes]]
"""The consistency proof from a size to the checkpoint's; it may raise StoreError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosigningRequest:
    """What a witness is asked: to cosign a checkpoint of this log, signed by our keys alone, at ``url``.

    ``old``: the size that it has cosigned last, as far as we know. ``known``: the keys of all witnesses of the policy,
    ``key`` the one of this witness. ``own``: this log's keys, under the checkpoint's origin.
    """

    url: str
    key: VerifierKey
    known: Sequence[VerifierKey]
    own: Sequence[VerifierKey]
    checkpoint: Checkpoint
    note: bytes
    old: int
    now: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosigningOutcome:
    """What came of it. ``lines`` are verified; ``time`` is that of the witness's own line, in seconds since 1970.

    ``shown``: the checkpoint that the witness holds, if one of our own keys has signed it; no one else could have made
    it.
    """

    state: CosigningState
    detail: str = ""
    lines: tuple[Signature, ...] = ()
    time: int | None = None
    shown: bytes | None = None


def ask(request: CosigningRequest, prove: ProofFrom, call: WitnessCall) -> CosigningOutcome:
    """Ask a witness; what went wrong is in the outcome."""
    try:
        outcome = _asked(request, prove, call)
    except NoReplyError as error:
        return CosigningOutcome(state="silent", detail=str(error))
    except StoreError as error:
        return CosigningOutcome(state="not_asked", detail=f"there is no proof for it: {error}"[:_SHOWN])
    if outcome.state in {"ahead", "contradicts"}:
        return _with_evidence(request, outcome, call)
    return outcome


def _asked(request: CosigningRequest, prove: ProofFrom, call: WitnessCall) -> CosigningOutcome:
    """Ask once, and once more from the size that the witness says it holds."""
    size = request.checkpoint.size
    old = min(request.old, size)
    held: int | None = None
    for _ in range(2):
        hashes = tuple(prove(old)) if 0 < old < size else ()
        body = format_request(AddCheckpoint(old, hashes, request.note))
        reply = call(f"{request.url.rstrip('/')}/add-checkpoint", body)
        if reply.status == 200:
            return _cosigned(request, reply)
        held = _size(reply)
        if held is None:
            return _refused(reply)
        if held > size:
            return CosigningOutcome(state="ahead", detail=f"it has cosigned size {held}, and was shown {size}")
        old = held
    return CosigningOutcome(state="silent", detail=f"it was told the size that it holds, and answers 409 with {held}")


def _cosigned(request: CosigningRequest, reply: WitnessReply) -> CosigningOutcome:
    """Keep the lines of known keys that verify; the witness's own must be among them."""
    # Lines of keys that are not in the policy are nobody's business here. A witness may have two keys, of which each
    # is a witness of the policy; both lines are kept. One bad line of a known key, and none of them is believed.
    try:
        note = Note(parse_note(request.note).text, parse_answer(reply.body))
        found = verify_cosignatures(note, request.known)
    except EvidenceError as error:
        return CosigningOutcome(state="unsound", detail=f"its answer does not verify: {error}"[:_SHOWN])
    off = {each.key: each.time - request.now for each in found if abs(each.time - request.now) > CLOCK_SECONDS}
    if request.key in off:
        return CosigningOutcome(state="unsound", detail=f"its clock is {off[request.key]:+d} s from ours")
    times = {each.key: each.time for each in found if each.key not in off}
    if request.key not in times:
        return CosigningOutcome(state="unsound", detail="its answer has no line of its key")
    kept = {(key.name, key.key_id) for key in times}
    lines = tuple(line for line in note.signatures if (line.name, line.key_id) in kept)
    return CosigningOutcome(state="cosigning", lines=lines, time=times[request.key])


def _size(reply: WitnessReply) -> int | None:
    """Read the size in an answer 409; None if it says none."""
    if reply.status != 409 or reply.media_type != SIZE_TYPE:
        return None
    try:
        return parse_size(reply.body)
    except EvidenceError:
        return None


def _refused(reply: WitnessReply) -> CosigningOutcome:
    if reply.status in _UNKNOWN:
        return CosigningOutcome(state="unknown", detail=f"it does not know this log, or not its key ({reply.status})")
    if reply.status in _HELD_OTHERWISE:
        return CosigningOutcome(state="contradicts", detail=f"it holds a tree that does not fit ({reply.status})")
    return CosigningOutcome(state="silent", detail=f"it answers {reply.status}")


def _with_evidence(request: CosigningRequest, outcome: CosigningOutcome, call: WitnessCall) -> CosigningOutcome:
    """Fetch what the witness holds, where it shows that. Its word alone counts for nothing; our own signature does."""
    origin = request.checkpoint.origin
    try:
        reply = call(f"{request.url.rstrip('/')}/{origin_hash(origin)}/checkpoint", None)
    except NoReplyError as error:
        return _without(outcome, f"does not show it: {error}")
    if reply.status != 200:
        return _without(outcome, f"does not show it ({reply.status})")
    try:
        held, _ = verify_checkpoint(reply.body, request.own)
    except EvidenceError as error:
        return _without(outcome, f"shows nothing that this log has signed: {error}")
    detail = f"{outcome.detail}; it shows size {held.size}, signed by this log"
    return CosigningOutcome(state=outcome.state, detail=detail, shown=reply.body)


def _without(outcome: CosigningOutcome, why: str) -> CosigningOutcome:
    return CosigningOutcome(state=outcome.state, detail=f"{outcome.detail}; it {why}"[:_SHOWN])
