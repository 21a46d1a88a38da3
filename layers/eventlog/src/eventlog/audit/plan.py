"""How an audit begins: the sequence document, what stands outside the settled part, and where to start and end."""

from dataclasses import asdict
from itertools import islice
from typing import Any

from bson import Int64

from eventlog.anchors.history import Standing
from eventlog.audit.report import Report, emitter, stored_state
from eventlog.formats import hashing, merkle, proof
from eventlog.formats.anchor import Anchor
from eventlog.formats.errors import EvidenceError
from eventlog.store.errors import CorruptionError, StoreUnavailableError
from eventlog.store.mongo.audits import AuditStore
from eventlog.store.mongo.tree import TreeReader
from eventlog.stored.errors import NotOursError
from eventlog.stored.sequences import SequenceImage, decode_sequence
from eventlog.verify.documents import understand
from eventlog.verify.findings import Finding
from eventlog.verify.sequence import check_sequence, check_strays
from eventlog.verify.verifier import VerifierState


def check_outside(audits: AuditStore, report: Report) -> SequenceImage | None:
    """Sequences, documents outside the settled part, sequences again: in one causally consistent session.

    What the sequence document is held against is read before it: an earlier audit's end, the first event. Else a
    chain that grows, or is created, between two reads would look shortened or bereft.
    """
    chain, emit = report["chain"], emitter(report)
    with audits.session() as session:
        report["known"] = audits.verified(chain, session)
        first = next(audits.scan(chain, 0, None, 1, session=session), None)
        image = check_sequence(audits.sequence(chain, session), first, emit)
        settled = image.settled.size if image else None
        rows = audits.outside(chain, 2**63 - 1 if settled is None else settled, session)
        while chunk := list(islice(rows, 1000)):
            later = audits.sequence(chain, session)
            check_strays(chunk, _understood(later), settled, emit)
        report["read_at"] = session.operation_time
    return image


def begin(
    audits: AuditStore, report: Report, image: SequenceImage | None, standing: Standing | None, origin: str
) -> None:
    """Where to start and where to end.

    An incremental audit starts at the newest anchor. Where nothing is ever anchored (``standing`` is None) it starts
    where an earlier audit ended: reports alone, which whoever can write to the database can forge, are never anchored.

    Raises:
        StoreUnavailableError: MongoDB does not even show what was anchored before, as a primary that is none any more.
    """
    chain, known, anchored = report["chain"], report["known"], standing.holds if standing else None
    report["origin"] = image.origin if image else origin
    report["size"] = None if image is None else Int64(image.size)
    report["tail"] = [entry.content_hash for entry in image.pending] if image else []
    least = max(int(known["size"]) if known else 0, anchored.checkpoint.size if anchored else 0)
    if image is not None and image.size < least:
        _report_truncated(audits, report, least, image.size)
    report["unreached"] = Int64(least) if image is None else None
    state = VerifierState(0, _genesis(chain, image, origin))
    if report["mode"] == "incremental" and image is not None:
        believed = known is not None and (standing is None or report["incomplete_because"])
        if known is not None and (believed or (anchored and known["size"] <= anchored.checkpoint.size)):
            _check_verified(audits, report, known, image)  # else its mark is passed on the way
        if anchored is not None:
            state = _anchored_state(audits.tree, report, anchored)
        elif known is not None and believed:
            state = VerifierState(int(known["size"]), [known["hash"]], list(known["frontier"]))
    report["target"] = None if image is None else asdict(image.settled) | {"size": Int64(image.settled.size)}
    report["from_seq"] = report["position"] = Int64(state.size)
    report["to_seq"] = Int64(max(state.size, image.settled.size)) if image else None
    report["state"] = stored_state(state)


def _report_truncated(audits: AuditStore, report: Report, least: int, size: int) -> None:
    """Only the newest state of the database counts: a primary that has just been replaced may not know that yet."""
    newest = audits.tree.newest_size(report["chain"])
    if newest is not None and newest >= least:
        raise StoreUnavailableError("MongoDB: an old primary answers; try again")
    detail = f"{least} events were verified or anchored before; now the sequence document says {size}"
    emitter(report)(Finding("truncated", size, str(least), str(size), detail))


def _genesis(chain: str, image: SequenceImage | None, origin: str) -> list[bytes]:
    """What the first event may link to; if the origin was changed, that is the sequence document's finding."""
    origins = dict.fromkeys([image.origin, origin] if image else [origin])
    return [hashing.genesis(name, chain) for name in origins]


def _check_verified(audits: AuditStore, report: Report, known: dict[str, Any], image: SequenceImage) -> None:
    """The last event an earlier audit verified still stands as it did."""
    last = int(known["size"]) - 1
    if last < 0:
        return
    emit = emitter(report)
    raw = next(audits.scan(report["chain"], last, last + 1, after=report["read_at"]), None)
    event, why, _ = understand(raw) if raw is not None else (None, "", None)
    if event is not None:
        if event.hash != known["hash"]:
            detail = f"an earlier audit verified {known['size']} events with another last hash"
            emit(Finding("rewritten", last, known["hash"].hex(), event.hash.hex(), detail))
    elif raw is not None:
        emit(Finding("unexpected", last, None, None, why))
    elif image.settled.size > last:
        emit(Finding("missing", last, "1", "0", "the last event an earlier audit verified is not in the log"))


def _anchored_state(tree: TreeReader, report: Report, anchored: Anchor) -> VerifierState:
    """The state at an anchor, taken from stored nodes and the last event's hash, which must give the signed root.

    If they don't, the rest is verified with nothing known of what is left of it.
    """
    size, root = anchored.checkpoint.size, anchored.checkpoint.root
    last = proof.Node(0, size - 1)
    ranges = proof.inclusion_ranges(size - 1, size)
    try:
        with tree.view(report["chain"]) as view:
            if view is None or view.image.size < min(size, report["size"]):
                raise StoreUnavailableError("MongoDB: an old primary answers; try again")
            nodes = view.nodes(proof.needed([*ranges, (0, size)]) | {last})
        frontier = [nodes[node] for node in proof.cover(0, size)]
        proof.verify_inclusion(nodes[last], size - 1, size, proof.heads(ranges, nodes), root)
        if merkle.root(frontier) != root:
            raise EvidenceError("the stored nodes do not give the anchored root")
    except (CorruptionError, EvidenceError) as error:
        if not report["findings"]:
            detail = f"what is stored of the first {size} events is not what was anchored: {error}"
            emitter(report)(Finding("rewritten", size - 1, root.hex(), None, detail))
        return VerifierState(size, [], [None] * size.bit_count())
    return VerifierState(size, [nodes[last]], list(frontier))


def _understood(raw: bytes | None) -> SequenceImage | None:
    try:
        return None if raw is None else decode_sequence(raw)
    except NotOursError:
        return None
