"""Checks the answers that are evidence: events, checkpoints, consistency and inclusion proofs."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from eventlog.formats.checkpoint import parse_checkpoint, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt, check_event, parse_event, receipt_of
from eventlog.formats.head_proof import ProvenHead
from eventlog.formats.members import hex_bytes, parse_json
from eventlog.formats.note import VerifierKey, parse_note
from eventlog.formats.proof import verify_consistency
from eventlog_client import proofs
from eventlog_client.answers import Consistency, SignedCheckpoint
from eventlog_client.appends import receipt_fields
from eventlog_client.errors import KeyNeededError, LogMisbehavedError, RefusedError, UnexpectedAnswerError
from eventlog_client.heads import check_head
from eventlog_client.proofs import Proof

_POLL_SECONDS = 1.0
_LONGEST = 64


def parse(body: bytes) -> Any:
    """Parse an answer that is evidence, as strictly as evidence in files is parsed.

    Raises:
        UnexpectedAnswerError: it is not JSON as the log writes it.
    """
    try:
        return parse_json(body)
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the answer is {error}") from error


def event(body: bytes, remember: Callable[[Receipt], None] | None) -> Event:
    """Read an event from its JSON text; with ``remember``, also recompute its hashes and compare it with known ones.

    Raises:
        LogMisbehavedError: it does not verify, or contradicts a known one.
    """
    # The evidence is the parsed event, or the text as it came if even that can't be parsed.
    shown: Any = body.decode(errors="replace")
    try:
        shown = parse_json(body)
        found = parse_event(shown)
        if remember is not None:
            check_event(found)
            remember(receipt_of(found))
    except EvidenceError as error:
        raise LogMisbehavedError(f"an event does not verify: {error}", [shown]) from error
    return found


def checkpoint(data: bytes, keys: Sequence[VerifierKey], size: int | None) -> SignedCheckpoint:
    """Read a checkpoint from its note; with keys, verify its signature too.

    Raises:
        LogMisbehavedError: it does not verify, or is of another size than ``size``.
    """
    note = data.decode(errors="replace")
    try:
        found = verify_checkpoint(data, keys)[0] if keys else parse_checkpoint(parse_note(data).text)
    except EvidenceError as error:
        raise LogMisbehavedError(f"the checkpoint does not verify: {error}", [note]) from error
    if size is not None and found.size != size:
        raise LogMisbehavedError(f"asked for the checkpoint of size {size}, and got one of {found.size}", [note])
    return SignedCheckpoint(found, note, bool(keys))


def consistency(fields: dict[str, Any], first: int, second: int) -> Consistency:
    """Read and verify a consistency proof between the sizes that were asked for.

    Raises:
        LogMisbehavedError: it does not verify.
    """
    # An answer about other sizes could be a right proof of something else, so sizes are compared before anything is
    # verified.
    try:
        if (fields.get("first"), fields.get("second")) != (first, second):
            raise EvidenceError("it is about other sizes")
        shown = fields.get("hashes")
        if not isinstance(shown, list) or len(shown) > _LONGEST:
            raise EvidenceError("hashes must be a list of at most 64")
        hashes = tuple(hex_bytes({"hashes": value}, "hashes") for value in shown)
        roots = hex_bytes(fields, "first_root"), hex_bytes(fields, "second_root")
        verify_consistency(first, second, hashes, *roots)
    except EvidenceError as error:
        raise LogMisbehavedError(f"the consistency proof does not verify: {error}", [fields]) from error
    return Consistency(first, second, *roots, hashes)


def head(fields: dict[str, Any], chain: str, keys: Sequence[VerifierKey]) -> tuple[dict[str, Any], ProvenHead]:
    """Read and verify a head's proof of the chain that was asked about.

    Raises:
        LogMisbehavedError: it does not verify, or is of another chain.
    """
    try:
        proven = check_head(fields, keys)
        if fields["chain"] != chain:
            raise EvidenceError(f"it is about chain {fields['chain']}")
    except EvidenceError as error:
        raise LogMisbehavedError(f"the head's proof does not verify: {error}", [fields]) from error
    return fields, proven


def proof(fields: dict[str, Any], chain: str, receipt: Receipt | None, keys: Sequence[VerifierKey]) -> Proof:
    """Read and verify an inclusion proof; with a receipt it must be of its leaf, with keys its checkpoint is verified.

    Raises:
        LogMisbehavedError: it does not verify, or is of another event.
    """
    # The evidence: with a receipt, receipt and proof together show that the log says two different things.
    shown: list[Any] = [fields] if receipt is None else [receipt_fields(receipt), fields]
    try:
        found = proofs.parse_proof(fields)
        if found.chain != chain:
            raise EvidenceError(f"it is about chain {found.chain}")
        if receipt is not None and found.leaf != proofs.leaf_of(receipt):
            raise EvidenceError("its leaf is not the receipt's: the log holds another event in that place")
        if keys and found.checkpoint is not None:
            proofs.check_proof(found, keys)
        else:
            proofs.check_path(found)
    except EvidenceError as error:
        raise LogMisbehavedError(f"the proof does not verify: {error}", shown) from error
    return found


def await_proof(ask: Callable[[], Proof], wait: float, sleep: Callable[[float], None]) -> Proof:
    """Ask until a signed checkpoint covers the event, for at most ``wait`` seconds.

    Raises:
        RefusedError: 404, there is still no such checkpoint.
        LogMisbehavedError: the proof has no checkpoint, though no particular size was asked for.
    """
    # Only 404 is worth waiting for: the event is too new for any checkpoint. Every other refusal would stay the same.
    deadline = time.monotonic() + wait
    while True:
        try:
            found = ask()
        except RefusedError as error:
            if error.status != 404 or time.monotonic() >= deadline:
                raise
            sleep(_POLL_SECONDS)
            continue
        if found.checkpoint is None:
            raise LogMisbehavedError(
                "the proof comes without a checkpoint, so nobody has signed its root", [found.fields]
            )
        return found


def check_not_denied(get: Callable[[str, str], Event], receipt: Receipt) -> None:
    """Check that the log still has the event that it gave this receipt for; ``get`` asks by id and chain.

    Raises:
        LogMisbehavedError: it says that there is no such event.
    """
    try:
        get(receipt.event_id, receipt.chain)
    except RefusedError as error:
        if error.status == 404:
            finding = f"the log gave a receipt for event {receipt.event_id} and does not have it"
            raise LogMisbehavedError(finding, [receipt_fields(receipt)]) from error
        raise


def need_keys(keys: Sequence[VerifierKey], chain: str) -> None:
    """Check that there is a pinned key of the chain.

    Raises:
        KeyNeededError: there is none.
    """
    if not keys:
        raise KeyNeededError(f"a verifier key of chain {chain} must be given: its name ends in /{chain}")
