"""How an audit begins: the sequence document, what stands outside the settled part, and where to start and end."""

from dataclasses import dataclass, replace
from itertools import islice

from eventlog.anchors.history import Standing
from eventlog.audit.run import AnchorWalk, AuditRun, OpenReport
from eventlog.formats import hashing, merkle, proof
from eventlog.formats.anchor import Anchor
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import ChainState
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.interface.audits import AuditReads, ChainReads, Counted
from eventlog.store.interface.trees import Trees
from eventlog.stored.errors import NotOursError
from eventlog.stored.fields import ClusterTime
from eventlog.stored.sequences import SequenceImage, decode_sequence
from eventlog.verify.documents import understand
from eventlog.verify.findings import Finding
from eventlog.verify.sequence import check_sequence, check_strays
from eventlog.verify.verifier import VerifierState

_OLD_PRIMARY = "MongoDB: an old primary answers; try again"


@dataclass(frozen=True, slots=True)
class Outside:
    """What was seen of a chain beside its settled part."""

    known: ChainState | None
    """The furthest state that an earlier audit found intact; None if there is none."""

    image: SequenceImage | None
    """The sequence document; None if it is gone or can't be understood."""

    read_at: ClusterTime | None
    """When that was read, by the cluster's clock; None if the database did not say."""


def check_outside(audits: AuditReads, opened: OpenReport) -> Outside:
    """Read sequences, documents outside the settled part, then sequences again: in one causally consistent session.

    What the sequence document is held against is read before it: an earlier audit's end, the first event. Else a
    chain that grows, or is created, between two reads would look truncated, or without its sequence document.
    """
    with audits.together(opened.report.chain) as reads:
        known = _known(reads, opened)
        first = reads.first()
        image = check_sequence(reads.sequence(), first, opened.emit, reads.bodies, audits.rules)
        settled = image.settled.size if image else None
        rows = reads.outside(2**63 - 1 if settled is None else settled)
        while chunk := list(islice(rows, 1000)):
            # Read after the rows: what is among them because it has just been settled is known by then.
            later = reads.sequence()
            check_strays(chunk, _understood(later), settled, opened.emit)
        return Outside(known, image, reads.time)


def _known(reads: ChainReads, opened: OpenReport) -> ChainState | None:
    """Read the furthest state that an audit has verified; one that no audit can have stored is a finding.

    Whoever can write to the database can put it there. It must not stop the audit: that would hide all else.
    """
    try:
        return reads.verified()
    except CorruptionError as error:
        detail = f"what a stored report says was verified is damaged: {error}"
        opened.emit(Finding("unexpected", None, None, None, detail))
        return None


def plan(audits: AuditReads, opened: OpenReport, outside: Outside, standing: Standing | None, origin: str) -> AuditRun:
    """Decide where to start and where to end.

    ``standing``: what is anchored of the chain; None where nothing ever is. ``origin``: the log's name by the settings.

    Raises:
        StoreUnavailableError: MongoDB does not even show what was anchored before: a replaced primary answered.
    """
    known, image, anchored = outside.known, outside.image, standing.holds if standing else None
    start = VerifierState(0, _genesis(opened, image, origin))
    least = max(known.size if known else 0, anchored.checkpoint.size if anchored else 0)
    if image is None:
        # The sequence document is gone, so nothing says what is settled. Every stored event is verified, to the last
        # one there is; only then can it be said whether they reach as far as was verified or anchored before.
        end, unreached = None, least
    else:
        # The chain's size is known: if it is less than before, that is said now. What is settled is verified, from the
        # first event or, in an incremental audit, from what can be trusted. That may lie beyond what the document calls
        # settled, if somebody has moved anchored events back into pending: then no event is left to verify in between.
        if image.size < least:
            _report_truncated(audits.tree, opened, least, image.size)
        if opened.report.mode == "incremental":
            start = _start_incremental(audits, opened, outside, image, standing) or start
        end, unreached = max(start.size, image.settled.size), None
    return AuditRun(
        report=replace(opened.report, from_seq=start.size, to_seq=end),
        lease=opened.report.started_at,
        walk=AnchorWalk(last=standing.last if standing else 0, copied=standing.copied if standing else 0),
        known=known,
        read_at=outside.read_at,
        origin=image.origin if image else origin,
        size=image.size if image else None,
        tail=[entry.content_hash for entry in image.pending] if image else [],
        unreached=unreached,
        target=image.settled if image else None,
        position=start.size,
        state=start,
        counted=dict.fromkeys(audits.query_indexes, Counted()) if image and opened.report.mode == "full" else None,
    )


def _start_incremental(
    audits: AuditReads, opened: OpenReport, outside: Outside, image: SequenceImage, standing: Standing | None
) -> VerifierState | None:
    """Choose what to start from: the newest anchor, or an earlier audit's end; None: the first event."""
    known, anchored = outside.known, standing.holds if standing else None
    # Whoever can write to the database can forge the report that says what is known. So it is believed only where
    # nothing will be anchored: no log is (standing is None), or the anchors are out of reach and the audit incomplete.
    believed = standing is None or opened.report.incomplete_because is not None
    if known is not None and (believed or (anchored is not None and known.size <= anchored.checkpoint.size)):
        # The audit will start at this place or beyond it, and not pass it: its last event is looked at now.
        _check_verified(audits, opened, outside, known, image.settled.size)
    if anchored is not None:
        return _anchored_state(audits.tree, opened, anchored, image, outside.read_at)
    if known is not None and believed:
        return VerifierState(known.size, [known.hash], [*known.frontier])
    # Nothing is anchored yet, and the first anchor is built on no report: all of it is verified for it.
    return None


def _report_truncated(tree: Trees, opened: OpenReport, least: int, size: int) -> None:
    """Report that a chain is too short, if the newest state of the database says so too.

    A primary that has just been replaced may not know the last events yet.

    Raises:
        StoreUnavailableError: the newest state is long enough.
    """
    newest = tree.newest_size(opened.report.chain)
    if newest is not None and newest >= least:
        raise StoreUnavailableError(_OLD_PRIMARY)
    detail = f"{least} events were verified or anchored before; now the sequence document says {size}"
    opened.emit(Finding("truncated", size, str(least), str(size), detail))


def _genesis(opened: OpenReport, image: SequenceImage | None, origin: str) -> list[bytes]:
    """List what the first event may link to; a changed origin is the sequence document's finding, not the event's."""
    origins = dict.fromkeys([image.origin, origin] if image else [origin])
    return [hashing.genesis(name, opened.report.chain) for name in origins]


def _check_verified(
    audits: AuditReads, opened: OpenReport, outside: Outside, known: ChainState, settled_size: int
) -> None:
    """Check that the last event an earlier audit verified still stands as it did."""
    last = known.size - 1
    if last < 0:
        return
    raw = next(audits.scan(opened.report.chain, last, last + 1, after=outside.read_at), None)
    event, why, _ = understand(raw) if raw is not None else (None, "", None)
    if event is not None:
        if event.hash != known.hash:
            detail = f"an earlier audit verified {known.size} events with another last hash"
            opened.emit(Finding("rewritten", last, known.hash.hex(), event.hash.hex(), detail))
    elif raw is not None:
        opened.emit(Finding("unexpected", last, None, None, why))
    elif settled_size > last:  # else it is among the pending events, or the chain was found truncated
        opened.emit(Finding("missing", last, "1", "0", "the last event an earlier audit verified is not in the log"))


def _anchored_state(
    tree: Trees, opened: OpenReport, anchored: Anchor, image: SequenceImage, read_at: ClusterTime | None
) -> VerifierState:
    """Take the state at an anchor from stored nodes and the last event's hash, which must give the signed root.

    If they don't, that is a finding, and the events after it are verified from a state that is not known. ``image``:
    the sequence document, as it was read at ``read_at``.
    """
    size, root = anchored.checkpoint.size, anchored.checkpoint.root
    last = proof.Node(0, size - 1)
    ranges = proof.inclusion_ranges(size - 1, size)
    try:
        with tree.view_of(image, read_at) as view:
            nodes = view.nodes(proof.needed([*ranges, (0, size)]) | {last})
        frontier = [nodes[node] for node in proof.cover(0, size)]
        proof.verify_inclusion(nodes[last], size - 1, size, proof.heads(ranges, nodes), root)
        if merkle.root(frontier) != root:
            raise EvidenceError("the stored nodes do not give the anchored root")
    except (CorruptionError, EvidenceError) as error:
        # What can't be read is damage that other findings have named already. But whoever plants one of those must not
        # hide by it that what can be read is another history than the anchor's.
        if isinstance(error, EvidenceError) or not opened.report.findings:
            detail = f"what is stored of the first {size} events is not what was anchored: {error}"
            opened.emit(Finding("rewritten", size - 1, root.hex(), None, detail))
        return VerifierState(size, [], [None] * size.bit_count())
    return VerifierState(size, [nodes[last]], list(frontier))


def _understood(raw: bytes | None) -> SequenceImage | None:
    try:
        return None if raw is None else decode_sequence(raw)
    except NotOursError:
        return None
