"""The witness: what it answers to a request to cosign a checkpoint (C2SP tlog-witness, ``add-checkpoint``).

What holds, whatever crashes and however many ask at once: the trees that it cosigns for one origin extend each other,
one after the other, and a cosignature leaves only when the state behind it is durable.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eventlog.formats.checkpoint import Checkpoint, parse_checkpoint
from eventlog.formats.cosignature import Cosigner, cosign
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Note, VerifierKey, format_note, format_vkey, parse_note, verify_note
from eventlog.formats.proof import verify_consistency
from eventlog.formats.witness_protocol import (
    SIZE_TYPE,
    AddCheckpoint,
    format_answer,
    format_size,
    origin_hash,
    parse_request,
)
from eventlog.witness.state import Held, StateLostError, WitnessState

TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """An answer of the protocol."""

    status: int
    body: bytes
    media_type: str = TEXT_TYPE
    alarm: bool = False
    """Whether its operator should look: it can't cosign, or the log has signed two roots of one size."""


class NotSignedError(Exception):
    """A key can't be used now; no cosignature was made."""


class _RefusedError(Exception):
    def __init__(self, answer: WitnessAnswer) -> None:
        super().__init__()
        self.answer = answer


def _refused(status: int, why: str, *, alarm: bool = False) -> _RefusedError:
    return _RefusedError(WitnessAnswer(status, f"{why}\n".encode(), alarm=alarm))


def _outdated(size: int) -> _RefusedError:
    """Make the answer to a request that builds on another tree than the one that is held, which is of this size."""
    return _RefusedError(WitnessAnswer(409, format_size(size), SIZE_TYPE))


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A request, parsed; ``signed`` is its note with the lines of trusted keys alone."""

    body: bytes
    request: AddCheckpoint
    checkpoint: Checkpoint
    signed: Note


def _seconds() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness with these keys, all under one name.

    ``tell`` gets a line for the operator about what must not be: a contradiction, a lost state, a clock that went back.
    """

    state: WitnessState
    cosigners: Sequence[Cosigner]
    tell: Callable[[str], None]
    clock: Callable[[], int] = _seconds

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Answer a request to cosign a checkpoint."""
        # The order is that of the checks that cost more, or tell more: what is malformed, unknown or unsigned reaches
        # neither the state nor a key. After a lost swap the state is read again, and what is held now is the answer.
        try:
            submitted = self._submitted(body)
            held = self.state.read(submitted.checkpoint.origin)
            return self._cosigned(submitted, held)
        except _RefusedError as refused:
            return refused.answer
        except (StateLostError, OSError) as error:
            self.tell(f"no cosignature is possible: {error}")
            return WitnessAnswer(503, b"the witness can't read or write its state\n", alarm=True)
        except NotSignedError as error:
            self.tell(f"no cosignature is possible: {error}")
            return WitnessAnswer(503, b"the witness can't sign\n", alarm=True)

    def about(self) -> dict[str, Any]:
        """Say who the witness is and which logs it knows, with their verifier keys.

        Raises:
            OSError: the state can't be read.
            StateLostError: the keys of a log are damaged.
            NotSignedError: an own key can't be read.
        """
        own = {"name": self.cosigners[0].key.name, "vkeys": [format_vkey(each.key) for each in self.cosigners]}
        logs = [
            {"origin": origin, "vkeys": [format_vkey(key) for key in self.state.keys(origin)]}
            for origin in self.state.origins()
        ]
        return {**own, "logs": logs}

    def checkpoint(self, name: str) -> bytes | None:
        """Return what was cosigned last of a log, by the hash of its origin line; None if nothing was, or it is lost.

        Raises:
            OSError: the state can't be read.
            StateLostError: the keys of a log are damaged.
        """
        for origin in self.state.origins():
            if origin_hash(origin) == name:
                try:
                    return self.state.read(origin).note or None
                except StateLostError:
                    return None
        return None

    def _submitted(self, body: bytes) -> _Submitted:
        try:
            request = parse_request(body)
            note = parse_note(request.checkpoint)
            checkpoint = parse_checkpoint(note.text)
        except EvidenceError as error:
            raise _refused(400, str(error)) from error
        keys = self.state.keys(checkpoint.origin)
        if not keys:
            raise _refused(404, "this witness does not know the checkpoint's origin")
        try:
            signed = _only(note, verify_note(note, keys))
        except EvidenceError as error:
            raise _refused(403, str(error)) from error
        if request.old > checkpoint.size:
            raise _refused(400, "the old size is above the checkpoint's size")
        return _Submitted(body, request, checkpoint, signed)

    def _cosigned(self, submitted: _Submitted, held: Held) -> WitnessAnswer:
        origin = submitted.checkpoint.origin
        size, root = self._head(origin, held)
        if submitted.request.old != size:
            raise _outdated(size)
        self._check_extends(submitted, held, root)
        # A time that goes back would make an older tree look like the newer one.
        now = self.clock()
        last = held.time(self.cosigners[0].key.name)
        if now < last:
            self.tell(f"the clock is behind the last cosignature of {origin} by {last - now} s")
            raise _refused(503, "the witness's clock is behind its last cosignature", alarm=True)
        try:
            lines = cosign(submitted.signed.text, now, self.cosigners)
        except EvidenceError as error:
            raise _refused(400, str(error)) from error
        note = format_note(Note(submitted.signed.text, (*submitted.signed.signatures, *lines)))
        # Only now, with the state durable, may the cosignature be seen. If somebody else was faster it never is.
        if not self.state.swap(origin, held.version, note):
            raise _outdated(self._head(origin, self.state.read(origin))[0])
        return WitnessAnswer(200, format_answer(lines))

    @staticmethod
    def _head(origin: str, held: Held) -> tuple[int, bytes]:
        try:
            return held.head()
        except EvidenceError as error:
            raise StateLostError(f"what was cosigned last of {origin} is damaged: {error}") from error

    def _check_extends(self, submitted: _Submitted, held: Held, root: bytes) -> None:
        """Check that the submitted tree extends the one that is held; keep the request if not."""
        # RFC 9162, section 2.1.4.2; of equal sizes, and from size 0, the proof is empty and the roots must be right.
        # Anybody can send a checkpoint that the log has signed with a proof that is none. Two roots of one size only
        # the log can make: these have a place of their own, which others can't fill.
        request, checkpoint = submitted.request, submitted.checkpoint
        try:
            verify_consistency(request.old, checkpoint.size, request.hashes, root, checkpoint.root)
        except EvidenceError as error:
            kind = "split" if request.old == checkpoint.size and root != checkpoint.root else "unproven"
            name = f"{kind}-{sha256(submitted.signed.text.encode()).hexdigest()}"
            self.tell(f"{checkpoint.origin}: {error}; the request is kept as {name}")
            self.state.keep(checkpoint.origin, name, submitted.body, held.note)
            raise _refused(422, str(error), alarm=kind == "split") from error


def _only(note: Note, keys: Sequence[VerifierKey]) -> Note:
    """Leave the lines of these keys only: what others have put below a note is not what this witness vouches for."""
    known = {(key.name, key.key_id) for key in keys}
    return Note(note.text, tuple(line for line in note.signatures if (line.name, line.key_id) in known))
