"""Joins a segment's result to what an audit has verified before it, as if the audit had gone over its events itself.

The result says what the segment's events give, as of when they were read. Here it is held against the chain as it is
now: its first link against the hash before it, its last event, which is read again, against what all before it gives,
and the anchors and marks inside it against the nodes that are stored. Where anything differs nothing is joined, and the
audit goes over the segment itself: only that says what is wrong, and where.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from eventlog.audit.marks import Mark
from eventlog.audit.run import AuditRun
from eventlog.formats import merkle, proof
from eventlog.formats.segment import SegmentNote
from eventlog.store.errors import CorruptionError
from eventlog.store.interface.audits import AuditReads
from eventlog.verify.fast_path import Segment
from eventlog.verify.findings import Finding
from eventlog.verify.verifier import ChainVerifier

_MARKS_AT_ONCE = 200
"""Marks whose nodes are read by one query: some ten nodes each."""


def join(audits: AuditReads, run: AuditRun, verifier: ChainVerifier, note: SegmentNote, marks: list[Mark]) -> bool:
    """Go on over a clean segment; False, and nothing done, if it does not fit the chain as it is now.

    ``marks``: what is known of the chain at sizes up to the segment's end.

    Raises:
        StoreError: the database can't be reached.
    """
    assert note.ends is not None
    last = list(islice(audits.scan(note.chain, note.end - 1, note.end, after=run.read_at), 2))
    inside = [mark for mark in marks if note.start < mark.size < note.end]
    left = verifier.state.frontier
    if len(last) != 1 or not all(
        _fit(audits, run, note, left, inside[at : at + _MARKS_AT_ONCE]) for at in _every(inside)
    ):
        return False
    ends, nodes = note.ends, list(note.ends.nodes)
    skew = (note.skewed, -1 if note.skew_seq is None else note.skew_seq, note.skew_millis)
    segment = Segment(note.start, ends.before, note.end - 1, ends.after, nodes, last[0], leaves=b"", skew=skew)
    # Tried on a copy first. A result may be genuine and of another history, from before a restore: then the last event
    # does not follow from it, which is no fault of the chain.
    findings: list[Finding] = []
    copy = replace(verifier.state, links=[*verifier.state.links], frontier=[*left])
    fits = ChainVerifier(copy, findings.append, rules=audits.rules).join(segment) and not findings
    return fits and verifier.join(segment)


def _every(inside: Sequence[Mark]) -> range:
    return range(0, len(inside), _MARKS_AT_ONCE)


def _fit(audits: AuditReads, run: AuditRun, note: SegmentNote, left: list[bytes | None], marks: Sequence[Mark]) -> bool:
    """Whether what is stored gives the root, or the last hash, of each of these marks inside the segment.

    The nodes are not believed for it: hashes that give an anchored root are the ones that gave it when it was anchored.
    Where a finding has left the nodes before unknown, no root can be compared, as in the audit's own scan.
    """
    # All nodes that any mark needs are read at once: a mark on a hash needs its leaf, one on a root its cover.
    known = [node for node in left if node is not None]
    rooted = len(known) == len(left) and not run.walk.rewritten
    needed = {proof.Node(0, mark.size - 1) for mark in marks if mark.hash is not None}
    for mark in marks:
        if mark.root is not None and rooted:
            needed |= set(proof.cover(note.start, mark.size))
    if not needed:
        return True
    try:
        with audits.tree.view(note.chain) as view:
            if view is None:
                return False
            nodes = view.nodes(needed)
    except CorruptionError:
        return False
    for mark in marks:
        if mark.hash is not None and nodes[proof.Node(0, mark.size - 1)] != mark.hash:
            return False
        if mark.root is not None and rooted:
            inner = [nodes[node] for node in proof.cover(note.start, mark.size)]
            if merkle.root([*known, *inner]) != mark.root:
                return False
    return True
