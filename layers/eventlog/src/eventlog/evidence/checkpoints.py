"""Checkpoints as the database has them: read, and held against the tree of their chain as it is stored."""

from eventlog.formats.checkpoint import Checkpoint, epoch_of, parse_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import parse_note
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.evidence import EvidenceView
from eventlog.stored.anchor_copies import AnchorCopy


def checkpoint_of(copy: AnchorCopy) -> Checkpoint:
    """Return the checkpoint in an anchor's copy. Its signatures are not verified: that is for clients and audits.

    Raises:
        CorruptionError: it is no checkpoint, or one of another size.
    """
    try:
        found = parse_checkpoint(parse_note(copy.note).text)
    except EvidenceError as error:
        raise CorruptionError(f"checkpoint {copy.number} of chain {copy.chain} is damaged: {error}") from error
    if found.size != copy.size:
        raise CorruptionError(f"checkpoint {copy.number} of chain {copy.chain} has another size than is recorded")
    return found


def check_root(copy: AnchorCopy, root: bytes) -> None:
    """Compare a tree's root with that of its checkpoint.

    Raises:
        CorruptionError: it is another.
    """
    if checkpoint_of(copy).root != root:
        raise CorruptionError(f"the tree of chain {copy.chain} is not that of its checkpoint {copy.number}")


def agreeing(chain: str, view: EvidenceView | None, copy: AnchorCopy) -> AnchorCopy:
    """Return a checkpoint whose root is that of the chain's tree.

    Whoever can write to the database can put any note there, and here is no key to verify it by. But one with another
    root, or of another chain, is not handed out: it would look as if the log had signed two histories.

    Raises:
        CorruptionError: it is another's, or the chain's sequence document is gone.
    """
    if view is None:
        raise CorruptionError(f"the sequence document of chain {chain} is missing; run an audit")
    check_place(view, copy)
    check_root(copy, view.root(copy.size))
    return copy


def check_place(view: EvidenceView, copy: AnchorCopy) -> None:
    """Check that a checkpoint is one of this chain, and of no more events than there are.

    Raises:
        CorruptionError: it isn't.
    """
    if copy.size > view.size:
        raise CorruptionError(f"chain {view.chain} is shorter than its checkpoint {copy.number}; run an audit")
    try:
        epoch_of(checkpoint_of(copy).origin, view.origin, view.chain)
    except EvidenceError as error:
        raise CorruptionError(f"checkpoint {copy.number} of chain {view.chain}: {error}; run an audit") from error
