"""From requests for evidence to answers: JSON, signed notes, proof files and tiles."""

from typing import Any

from fastapi import Request, Response

import eventlog.evidence.proofs  # noqa: F401  held.evidence needs it: now, not in the first request
from eventlog.errors import NotFoundError, unknown_checkpoint
from eventlog.evidence.proofs import EventProof, checkpoint_of
from eventlog.formats import hashing, tiles
from eventlog.formats.errors import EvidenceError
from eventlog.formats.times import format_time
from eventlog.formats.tlog_proof import TlogProof, format_tlog_proof
from eventlog.http import requests
from eventlog.http.callers import Caller
from eventlog.http.evidence_query import ConsistencyQuery, ProofQuery
from eventlog.http.schemas import json_response
from eventlog.stored.anchor_copies import AnchorCopy
from eventlog.wiring.resources import Resources

TEXT, BINARY = "text/plain", "application/octet-stream"
TEXT_CONTENT: dict[str, Any] = {"content": {TEXT: {"schema": {"type": "string"}}}}
BINARY_CONTENT: dict[str, Any] = {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}
_NOTE = f"{TEXT}; charset=utf-8"
_FRESH = {"Cache-Control": "no-cache"}
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
"""Tiles never change; private, as the API wants credentials."""


def proof(held: Resources, request: Request, event_id: str, parameters: ProofQuery) -> Response:
    """An inclusion proof as JSON, or as a C2SP tlog-proof file, which has a checkpoint in it."""
    found = held.evidence.proof(parameters.chain, event_id, parameters.size)
    if requests.preferred(request.headers, TEXT) is None:
        return json_response(_proof_fields(found))
    if found.checkpoint is None:
        raise NotFoundError(f"There is no checkpoint of chain {parameters.chain} at size {found.size}; ask for JSON.")
    file = TlogProof(found.event.seq, tuple(found.hashes), found.checkpoint.note, extra=found.leaf)
    return Response(format_tlog_proof(file), 200, None, _NOTE)


def consistency(held: Resources, chain: str, parameters: ConsistencyQuery) -> Response:
    """A consistency proof between two sizes."""
    found = held.evidence.consistency(chain, parameters.first, parameters.second)
    return json_response(
        {
            "first": parameters.first,
            "second": parameters.second,
            "hashes": [value.hex() for value in found.hashes],
            "first_root": found.first_root.hex(),
            "second_root": found.second_root.hex(),
        }
    )


def root(held: Resources, chain: str, size: int | None) -> Response:
    """The root at a size."""
    size, value = held.evidence.root(chain, size)
    return json_response({"chain": chain, "size": size, "root": value.hex()})


def checkpoint(held: Resources, chain: str, size: int | None, caller: Caller) -> Response:
    """A signed note, byte for byte."""
    if not caller.may(chain):
        raise unknown_checkpoint(chain, size)
    return Response(held.evidence.checkpoint(chain, size).note, 200, _FRESH, _NOTE)


def tile(held: Resources, chain: str, level: str, place: str) -> Response:
    """A tile of hashes or a bundle of entries (C2SP tlog-tiles)."""
    try:
        wanted = tiles.parse_tile(level, place)
    except EvidenceError as error:
        raise NotFoundError(f"There is no such tile: {error}.") from error
    return Response(held.evidence.tile(chain, wanted), 200, _FOREVER, BINARY)


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
