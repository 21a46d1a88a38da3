"""``eventlog prove`` and ``eventlog verify-proof``."""

import time
from pathlib import Path
from typing import Annotated

import orjson
import typer

from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog.formats.hashing import leaf_hash
from eventlog.formats.note import VerifierKey, parse_note
from eventlog.formats.tlog_proof import parse_tlog_proof, verify_tlog_proof
from eventlog_client.client import EventLog
from eventlog_client.destination import destination, is_stdout
from eventlog_client.documents import read_known
from eventlog_client.errors import NotWitnessedError
from eventlog_client.given_files import parse_file, parse_text
from eventlog_client.proofs import Proof, check_proof, leaf_of, parse_proof
from eventlog_client.session import Key, MaxWitnessAge, PolicyOption, session_of, trust
from eventlog_client.witnesses import POLL_SECONDS, Witnessed, Witnesses

_TLOG_PROOF = ".tlog-proof"


def prove(
    context: typer.Context,
    *,
    receipt: Annotated[Path, typer.Argument(help="A receipt, or an event, as JSON.")],
    key: Key = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Where to write the proof: JSON, or a C2SP file if it ends in .tlog-proof.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a checkpoint that covers it.")] = 0,
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Exchange a receipt for a proof.

    A receipt is the log's word alone; the proof shows that the event stands in a tree whose root the log has signed.
    With --policy the checkpoint must be cosigned as well.
    """
    session = session_of(context)
    trusted = trust(key, policy, max_witness_age)
    known = read_known(receipt)
    with session.log(trusted.vkeys) as log:
        proof, witnessed = _proven(log, known, wait, trusted.witnesses)
    if out is not None:
        with destination(out) as written:
            written.write(file_content(out, proof))
        if is_stdout(out):
            return
    if session.output.json:
        session.output.document(proof.fields)
    else:
        session.output.say(f"Proven: event {proof.leaf_index} of chain {proof.chain} stands in the signed tree of size "
                        f"{proof.tree_size}.")  # fmt: skip
        if witnessed is not None:
            session.output.say(witnessed.sentence())


def _proven(
    log: EventLog, known: Receipt | Event, wait: float, witnesses: Witnesses | None
) -> tuple[Proof, Witnessed | None]:
    """Get a proof and, if there is a policy, wait until its checkpoint is cosigned: a log asks witnesses afterwards."""
    deadline = time.monotonic() + wait
    while True:
        proof = log.prove(known, max(0.0, deadline - time.monotonic()))
        if witnesses is None:
            return proof, None
        try:
            return proof, witnesses.check((proof.checkpoint or "").encode())
        except NotWitnessedError:
            if time.monotonic() >= deadline:
                raise
        witnesses.sleep(POLL_SECONDS)


def verify_proof(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="A proof: JSON as the log shows it, or a .tlog-proof file.")],
    key: Key = [],  # noqa: B006
    event: Annotated[Path | None, typer.Option(help="The event it should be of, as JSON.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="The receipt it should be of, as JSON.")] = None,
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Verify a proof without the log; with --policy its checkpoint must be cosigned as well."""
    session = session_of(context)
    trusted = trust(key, policy, max_witness_age)
    if event is not None and receipt is not None:
        raise typer.BadParameter("give an event or a receipt", param_hint="--event")
    path = event or receipt
    known = None if path is None else read_known(path)
    if event is not None and not isinstance(known, Event):
        raise typer.BadParameter(f"{event} is a receipt, no event", param_hint="--event")
    index, checkpoint, note = check_file(file, trusted.keys, known)
    witnessed = None if trusted.witnesses is None else trusted.witnesses.check(note)
    about = "its event" if known is None else f"the {'event' if event else 'receipt'}"
    session.output.say(
        f"Verified: {about} stands at {index} in the tree of size {checkpoint.size} that {checkpoint.origin} signed.",
        {"verified": True, "leaf_index": index, "tree_size": checkpoint.size, "origin": checkpoint.origin}
        | ({} if witnessed is None else {"witnessed": witnessed.fields()}),
    )
    if witnessed is not None:
        session.output.say(witnessed.sentence())
    if known is None:
        session.output.say("Which event that is takes --event or --receipt.")


def check_file(
    path: Path, keys: tuple[VerifierKey, ...], known: Receipt | Event | None
) -> tuple[int, Checkpoint, bytes]:
    """Verify a proof file of either form, of a known event if there is one.

    Returns the leaf's index, and the checkpoint with its note, whose cosignatures are not looked at.

    Raises:
        EvidenceError: it does not verify, or is of another event.
        FileChangedError: it is not in the form it was written in.
        OSError: it can't be read.
    """
    data, expected = path.read_bytes(), None if known is None else leaf_of(known)
    if not data.lstrip().startswith(b"{"):
        return _check_tlog_proof(path, data, keys, expected)
    proof = parse_proof(parse_file(str(path), data))
    if expected is not None and expected != proof.leaf:
        raise EvidenceError(f"the proof is of another leaf, at {proof.leaf_index}")
    return proof.leaf_index, check_proof(proof, keys), (proof.checkpoint or "").encode()


def _check_tlog_proof(
    path: Path, data: bytes, keys: tuple[VerifierKey, ...], expected: bytes | None
) -> tuple[int, Checkpoint, bytes]:
    # A C2SP file says which leaf it is about only in its extra data, which may be missing: then the caller must know
    # it. JSON always has the leaf.
    proof = parse_text(str(path), data, parse_tlog_proof)
    parse_text(str(path), proof.checkpoint, parse_note)
    leaf = expected or proof.extra
    if leaf is None:
        raise EvidenceError("the proof does not say which leaf it is about: give --event or --receipt")
    if int.from_bytes(leaf[:8], "big") != proof.index:
        raise EvidenceError(f"the proof is of leaf {proof.index}, and asked about is another")
    return proof.index, verify_tlog_proof(data, leaf_hash(leaf), keys), proof.checkpoint


def file_content(path: Path, proof: Proof) -> bytes:
    """Return a proof in the form that the file's name asks for."""
    if path.suffix == _TLOG_PROOF:
        return proof.tlog_proof()
    return orjson.dumps(proof.fields, option=orjson.OPT_APPEND_NEWLINE)
