"""A witness behind API Gateway (C2SP tlog-witness); both its prefixes are ``/witness``.

Nobody has to sign in: a request is worth what the log's own signature in it is worth.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Response

from eventlog.errors import NotFoundError
from eventlog.formats.note import parse_vkey
from eventlog.formats.witness_protocol import MAX_REQUEST
from eventlog.http.answers import json_response
from eventlog.http.problems import documented
from eventlog.http.requests import raw_body
from eventlog.http.waiting import WaitingRoute
from eventlog.http.wired import wired_by
from eventlog.store.errors import StoreUnavailableError
from eventlog.telemetry import metrics
from eventlog.wiring.witness import WitnessWiring
from eventlog.witness.state import StateLostError
from eventlog.witness.witness import NotSignedError, Witness, WitnessAnswer

T = TypeVar("T")
SERVICE = "eventlog-witness"
router = APIRouter(prefix="/witness", tags=["witness"], route_class=WaitingRoute)
Wired = Annotated[WitnessWiring, Depends(wired_by(WitnessWiring))]
Request = Annotated[bytes, Depends(raw_body(MAX_REQUEST))]


@router.post("/add-checkpoint", responses=documented(413, 415), response_class=Response)
def add_checkpoint(wired: Wired, body: Request) -> Response:
    """Cosign a checkpoint that extends the last one; the protocol says what else is answered."""
    answer = wired.witness.add_checkpoint(body)
    _emit(answer)
    # Not as a media type, which the framework would give a charset: clients compare the whole header (tlog-witness).
    return Response(answer.body, answer.status, {"Content-Type": answer.media_type})


@router.get("/{origin_hash}/checkpoint", responses=documented(404, 503), response_class=Response)
def checkpoint(
    wired: Wired, origin_hash: Annotated[str, Path(description="SHA-256 of the origin line, in hexadecimal")]
) -> Response:
    """What was cosigned last of a log, with the cosignatures."""
    note = _readable(wired.witness, lambda witness: witness.checkpoint(origin_hash))
    if note is None:
        raise NotFoundError("This witness has cosigned nothing under this hash of an origin line.")
    return Response(note, media_type="text/plain; charset=utf-8")


@router.get("/", responses=documented(503), response_class=Response)
def about(wired: Wired) -> Response:
    """Who the witness is, and which logs it knows, with their verifier keys."""
    return json_response(_readable(wired.witness, Witness.about))


def add_log(wired: WitnessWiring, vkey: str) -> dict[str, object]:
    """Begin to trust a log's key, as its operator says (``{"source": "eventlog.add_log", "vkey": ...}``).

    Raises:
        EvidenceError: it is no verifier key of a log.
        StateLostError: the log is known, or was, and what was cosigned last of it is gone.
        OSError: the state can't be written.
    """
    key = parse_vkey(vkey)
    return {"origin": key.name, "added": wired.state.add_log(key)}


def _readable(witness: Witness, read: Callable[[Witness], T]) -> T:
    try:
        return read(witness)
    except (StateLostError, NotSignedError, OSError) as error:  # why is for the operator alone
        witness.tell(f"the state or a key can't be read: {error}")
        metrics.emit(SERVICE, {"WitnessAlarms": 1})
        raise StoreUnavailableError("the witness can't read its state or its key now") from error


def _emit(answer: WitnessAnswer) -> None:
    metrics.emit(SERVICE, {"WitnessAlarms": int(answer.alarm), "WitnessCosignatures": int(answer.status == 200)})
