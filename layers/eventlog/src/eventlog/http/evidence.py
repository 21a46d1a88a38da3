"""From requests for evidence to answers: JSON, signed notes, proof files and tiles."""

from typing import Annotated, Any

from fastapi import Depends, Query, Response

from eventlog.errors import NotFoundError, unknown_checkpoint
from eventlog.evidence.checkpoints import checkpoint_of
from eventlog.evidence.proofs import EventProof, Evidence
from eventlog.fields import ChainName
from eventlog.formats import hashing, tiles
from eventlog.formats.errors import EvidenceError
from eventlog.formats.head_proof import head_proof_fields
from eventlog.formats.times import format_time
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.callers import Caller
from eventlog.http.evidence_query import ConsistencyQuery, ProofQuery, SizeQuery
from eventlog.http.evidence_schemas import ConsistencyOut, HeadProofOut, ProofOut, RootOut
from eventlog.http.negotiation import Accepts
from eventlog.http.problems import api_router, documented
from eventlog.http.query import EventId, WiredQuery
from eventlog.stored.anchor_copies import AnchorCopy

JSON, TEXT, BINARY = "application/json", "text/plain", "application/octet-stream"
TEXT_CONTENT: dict[str, Any] = {"content": {TEXT: {"schema": {"type": "string"}}}}
BINARY_CONTENT: dict[str, Any] = {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
_NOTE = f"{TEXT}; charset=utf-8"
_FRESH = {"Cache-Control": "no-cache"}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
"""Tiles never change; private, as the API wants credentials."""


def proof(evidence: Evidence, event_id: str, parameters: ProofQuery, accepted: str) -> Response:
    """An inclusion proof as JSON, or (``TEXT``) as a C2SP tlog-proof file, which has a checkpoint in it."""
    found = evidence.proof(parameters.chain, event_id, parameters.size)
    if accepted == JSON:
        return json_response(_proof_fields(found))
    if found.checkpoint is None:
        raise NotFoundError(f"There is no checkpoint of chain {parameters.chain} at size {found.size}; ask for JSON.")
    file = TlogProof(found.event.seq, tuple(found.hashes), found.checkpoint.note, extra=found.leaf)
    return Response(format_tlog_proof(file), 200, None, _NOTE)


def consistency(evidence: Evidence, chain: str, parameters: ConsistencyQuery) -> Response:
    """A consistency proof between two sizes."""
    found = evidence.consistency(chain, parameters.first, parameters.second)
    return json_response(
        {
            "first": parameters.first,
            "second": parameters.second,
            "hashes": [value.hex() for value in found.hashes],
            "first_root": found.first_root.hex(),
            "second_root": found.second_root.hex(),
        }
    )


def root(evidence: Evidence, chain: str, size: int | None) -> Response:
    """The root at a size."""
    size, value = evidence.root(chain, size)
    return json_response({"chain": chain, "size": size, "root": value.hex()})


def checkpoint(evidence: Evidence, chain: str, size: int | None, caller: Caller) -> Response:
    """A signed note, byte for byte."""
    if not caller.may(chain):
        raise unknown_checkpoint(chain, size)
    return Response(evidence.checkpoint(chain, size).note, 200, _FRESH, _NOTE)


def read_tile(evidence: Evidence, chain: str, level: str, place: str) -> Response:
    """A tile of hashes or a bundle of entries (C2SP tlog-tiles)."""
    try:
        wanted = tiles.parse_tile(level, place)
    except EvidenceError as error:
        raise NotFoundError(f"There is no such tile: {error}.") from error
    return Response(evidence.tile(chain, wanted), 200, _FOREVER, BINARY)


def checkpoint_fields(copy: AnchorCopy | None) -> dict[str, Any]:
    """What a chain's description says of its newest checkpoint."""
    if copy is None:
        return {"last_checkpoint": None, "keys": []}
    shown = {
        "number": copy.number,
        "size": copy.size,
        "root": checkpoint_of(copy).root.hex(),
        "time": format_time(copy.time),
        "note": copy.note.decode(),
    }
    return {"last_checkpoint": shown, "keys": list(copy.keys)}


def _proof_fields(found: EventProof) -> dict[str, Any]:
    return {
        "chain": found.event.entry.chain,
        "leaf_index": found.event.seq,
        "tree_size": found.size,
        "leaf": found.leaf.hex(),
        "leaf_hash": hashing.leaf_hash(found.leaf).hex(),
        "hashes": [value.hex() for value in found.hashes],
        "root": found.root.hex(),
        "checkpoint": None if found.checkpoint is None else found.checkpoint.note.decode(),
    }


router = api_router("query")


@router.get(
    "/events/{event_id}/proof",
    responses={200: {"model": ProofOut, **TEXT_CONTENT}, **documented(404, 406, 422, 500, 503)},
)
def get_proof(
    caller: Reader,
    wired: WiredQuery,
    event_id: EventId,
    parameters: Annotated[ProofQuery, Query()],
    accepted: Annotated[str, Depends(Accepts(JSON, TEXT))],
) -> Response:
    """Proof that the event is in the log: JSON, or a C2SP tlog-proof file by the Accept header."""
    caller.check(parameters.chain)
    return proof(wired.evidence, event_id, parameters, accepted)


@router.get("/chains/{chain}/consistency", responses={200: {"model": ConsistencyOut}, **documented(404, 422, 500, 503)})
def get_consistency(
    caller: Reader, wired: WiredQuery, chain: ChainName, parameters: Annotated[ConsistencyQuery, Query()]
) -> Response:
    """Proof that the log at one size is the beginning of the log at another."""
    caller.check(chain)
    return consistency(wired.evidence, chain, parameters)


@router.get("/chains/{chain}/head", responses={200: {"model": HeadProofOut}, **documented(404, 422, 500, 503)})
def get_head(caller: Reader, wired: WiredQuery, chain: ChainName) -> Response:
    """Proof that the chain's head is among those that the registry commits to, for all who see its checkpoint."""
    caller.check(chain)
    return json_response(head_proof_fields(wired.heads.proof(chain)))


@router.get("/chains/{chain}/root", responses={200: {"model": RootOut}, **documented(404, 422, 500, 503)})
def get_root(
    caller: Reader, wired: WiredQuery, chain: ChainName, parameters: Annotated[SizeQuery, Query()]
) -> Response:
    """The Merkle root at a size, by default the chain's now."""
    caller.check(chain)
    return root(wired.evidence, chain, parameters.size)


@router.get(
    "/chains/{chain}/checkpoint",
    response_class=Response,
    responses={200: TEXT_CONTENT, **documented(404, 422, 500, 503)},
)
def get_checkpoint(
    caller: Reader, wired: WiredQuery, chain: ChainName, parameters: Annotated[SizeQuery, Query()]
) -> Response:
    """A signed checkpoint byte for byte, the newest or the one of a size."""
    return checkpoint(wired.evidence, chain, parameters.size, caller)


@router.get(
    "/chains/{chain}/tlog/checkpoint",
    response_class=Response,
    responses={200: TEXT_CONTENT, **documented(404, 422, 500, 503)},
)
def get_tlog_checkpoint(caller: Reader, wired: WiredQuery, chain: ChainName) -> Response:
    """The newest checkpoint, where clients of C2SP tlog-tiles look for it."""
    return checkpoint(wired.evidence, chain, None, caller)


@router.get(
    "/chains/{chain}/tlog/tile/{level}/{tile:path}",
    response_class=Response,
    responses={200: BINARY_CONTENT, **documented(404, 422, 500, 503)},
)
def get_tile(caller: Reader, wired: WiredQuery, chain: ChainName, level: str, tile: str) -> Response:
    """A tile of the tree, or with `entries` for its level a bundle of leaves (C2SP tlog-tiles)."""
    caller.check(chain)
    return read_tile(wired.evidence, chain, level, tile)
