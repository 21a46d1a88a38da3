"""Checks signed checkpoints against the events of a live stream."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.cosigned_note import with_lines
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState, Event
from eventlog.formats.event_json import receipt_of
from eventlog.formats.members import members, parse_json, text, whole
from eventlog.formats.note import VerifierKey
from eventlog.formats.proof import frontier_of_first
from eventlog.formats.sse import Frame
from eventlog_client import evidence
from eventlog_client.answers import Consistency, SignedCheckpoint
from eventlog_client.appends import receipt_fields
from eventlog_client.errors import LogMisbehavedError, UnexpectedAnswerError
from eventlog_client.monitor import append_leaf, check_heads
from eventlog_client.proofs import leaf_of

Prove = Callable[[int, int], Consistency]
"""A proof, verified, that the tree of the second size extends that of the first."""


@dataclass
class CheckpointChecker:
    """Builds the tree over every event of a chain as it comes, and checks signed checkpoints against it.

    If the stream begins in the middle of the chain, the tree before it is only the log's word at first. The next
    checkpoint signed by a pinned key shows whether it was true.
    """

    prove: Prove
    keys: Sequence[VerifierKey]
    head: ChainState | None = None
    newest: SignedCheckpoint | None = None
    _shown: SignedCheckpoint | None = None
    _waiting: list[SignedCheckpoint] = field(default_factory=list)

    def connected(self) -> None:
        """Note a new connection. It may lead to another server of the log, which may lag behind the one before."""
        self._shown = None

    def add(self, event: Event) -> list[SignedCheckpoint]:
        """Extend the tree by an event; return the checkpoints that could now be checked against it.

        Raises:
            LogMisbehavedError: the event does not follow the last one, or a checkpoint is of another tree.
        """
        try:
            if self.head is None:
                self.head = self._begin(event)
            else:
                append_leaf(self.head, leaf_of(event))
        except EvidenceError as error:
            raise LogMisbehavedError(str(error), [receipt_fields(receipt_of(event))]) from error
        return self._compare()

    def announce(self, frame: Frame) -> list[SignedCheckpoint]:
        """Take a checkpoint from the stream; return those that could now be checked against the tree.

        Raises:
            LogMisbehavedError: the checkpoint does not verify, or contradicts an earlier one or the tree.
        """
        try:
            note = text(members(parse_json(frame.data or b""), "a checkpoint"), "note")
        except EvidenceError as error:
            raise UnexpectedAnswerError(f"the stream's checkpoint is not one: {error}") from error
        found = evidence.checkpoint(note.encode(), self.keys, None)
        # Within one connection the log may neither go back nor sign a size twice. Across connections it may go back for
        # a moment, as another server may lag behind, so nothing is compared with the connection before.
        before, self._shown = self._shown, found
        try:
            if before is not None and before.checkpoint.origin == found.checkpoint.origin:
                check_heads(before.checkpoint, found.checkpoint)
            self._covers_what_was_shown(found.checkpoint)
        except EvidenceError as error:
            raise LogMisbehavedError(str(error), [before.note if before else None, note]) from error
        # The same note again changes nothing. An older one is nothing new either, but must be of this tree; a newer one
        # waits until the events that it covers have come.
        if self.newest is not None and found.note == self.newest.note:
            return []
        self._waiting.append(found)
        if self.newest is not None and found.checkpoint.size < self.newest.checkpoint.size:
            self._compare()  # nothing new to return, but it must be of this tree too
            return []
        self.newest = found
        return self._compare()

    def cosigned(self, frame: Frame) -> None:
        """Take lines that witnesses have added to a checkpoint that the stream has shown, for whoever asks for them.

        Nothing in them is verified here; they are added to the checkpoint's note as it is told.

        Raises:
            UnexpectedAnswerError: it is not what the log sends.
        """
        try:
            given = members(parse_json(frame.data or b""), "cosignatures")
            size, lines = whole(given, "size"), given.get("lines")
            if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
                raise EvidenceError("lines must be a list of texts")
        except EvidenceError as error:
            raise UnexpectedAnswerError(f"the stream's cosignatures are none: {error}") from error
        # They may come before the checkpoint was held against its events, and then go with it.
        self._waiting = [_with_lines(found, lines, size) for found in self._waiting]

    def _covers_what_was_shown(self, signed: Checkpoint) -> None:
        """Check that a checkpoint covers no event that was not shown; the log sends a checkpoint after its events.

        Raises:
            EvidenceError: it covers more, so the log holds events back.
        """
        if self.head is not None and signed.size > self.head.size:
            raise EvidenceError(f"a checkpoint covers {signed.size} events, and the log shows {self.head.size} of them")

    def _begin(self, event: Event) -> ChainState:
        """Return the chain's head after the first event of the stream."""
        head = ChainState(event.seq, event.prev_hash)
        if event.seq == 0:
            append_leaf(head, leaf_of(event))
            return head
        # The tree before this event is not known here. A consistency proof from it to the tree that ends with the event
        # has that tree's frontier in it, and the event must lead to the second root.
        proof = self.prove(event.seq, event.seq + 1)
        head.frontier = frontier_of_first(event.seq, event.seq + 1, proof.hashes, proof.first_root)
        append_leaf(head, leaf_of(event))
        if head.root != proof.second_root:
            raise EvidenceError(f"the log proves another tree of size {head.size} than the one that ends in this event")
        return head

    def _compare(self) -> list[SignedCheckpoint]:
        ready = [found for found in self._waiting if self.head and found.checkpoint.size <= self.head.size]
        for found in ready:
            self._waiting.remove(found)
            if self.head is not None:
                self._hold(found.checkpoint, found.note, self.head)
        return ready

    def _hold(self, signed: Checkpoint, note: str, head: ChainState) -> None:
        # Of the same size, the roots must be equal. An older checkpoint needs a proof that the tree here extends its
        # tree.
        if signed.size == head.size:
            same = signed.root == head.root
        else:
            proof = self.prove(signed.size, head.size)
            same = (proof.first_root, proof.second_root) == (signed.root, head.root)
        if not same:
            finding = f"the log signed another tree of size {signed.size} than the one whose events it shows"
            raise LogMisbehavedError(finding, [note])


def _with_lines(found: SignedCheckpoint, lines: list[str], size: int) -> SignedCheckpoint:
    if found.checkpoint.size != size:
        return found
    return replace(found, note=with_lines(found.note.encode(), lines).decode())


def checker_of(prove: Prove, keys: Sequence[VerifierKey], chain: str, *, every: bool) -> CheckpointChecker:
    """Make the checker for a chain's stream, which must have ``every`` event.

    Raises:
        KeyNeededError: no key of this chain is pinned.
    """
    if not every:
        raise ValueError("a filtered stream leaves out events, so checkpoints can't be held against it")
    evidence.need_keys(keys, chain)
    return CheckpointChecker(prove, keys)
