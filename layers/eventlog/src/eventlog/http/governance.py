"""From a request to an order: erasures, approvals, holds and releases, and what became of them."""

from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, ValidationError
from uuid_utils.compat import uuid7

from eventlog.clock import now_millis
from eventlog.errors import InvalidError, NotFoundError, NotSetUpError
from eventlog.fields import ChainName, pointer
from eventlog.formats import strict_json
from eventlog.formats.governance import event_id
from eventlog.formats.strict_json import Problem
from eventlog.formats.times import format_time
from eventlog.governance.holds import LoggedHold
from eventlog.governance.notices import ErasureLog
from eventlog.governance.ordering import Asking
from eventlog.governance.shown import ErasureShown
from eventlog.http.access import Eraser, Holder, Reader
from eventlog.http.answers import json_response
from eventlog.http.callers import Caller
from eventlog.http.governance_schemas import (
    ErasureList,
    ErasureOut,
    ErasureRequest,
    HoldOut,
    HoldRequest,
    HoldsOut,
    OrderRequest,
    ReleaseRequest,
)
from eventlog.http.problems import api_router, documented
from eventlog.http.query_strings import DIGITS
from eventlog.http.requests import SmallBody, raw_body
from eventlog.http.wired import wired_by
from eventlog.store.interface import Position
from eventlog.wiring.erase import EraseWiring

_MAX_BODY = 256 << 10
"""Bytes of a request that names a thousand events by ids as long as can be."""
OrderBody = Annotated[bytes, Depends(raw_body(_MAX_BODY))]
WiredErase = Annotated[EraseWiring, Depends(wired_by(EraseWiring))]
ChainPath = Annotated[ChainName, Path()]
RequestPath = Annotated[UUID, Path()]
M = TypeVar("M", bound=OrderRequest)


def _read(model: type[M], body: bytes) -> M:
    """Read a body strictly."""
    value = strict_json.parse(body, max_depth=3)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidError([Problem(pointer(e["loc"]), e["msg"]) for e in error.errors(include_url=False)]) from error


def _check(caller: Caller, wired: EraseWiring, chain: str) -> None:
    """Refuse a chain that is not there, or not for this caller, in the same words."""
    caller.check(chain)
    ordering = wired.ordering  # first of all whether this log can do that
    if ordering.log.chain(chain) is None:
        raise NotFoundError(f"There is no chain {chain}.")


def _asking(chain: str, caller: Caller, asked: OrderRequest) -> Asking:
    """Say who asks for what; a request that has no id gets one."""
    return Asking(chain, asked.request_id or str(uuid7()), caller.principal, asked.reason)


def _erasure(found: ErasureShown, *, listed: bool = False) -> dict[str, Any]:
    order, event = found.order, found.event
    return {
        "erasure_id": order.request,
        "chain": order.chain,
        "state": found.state,
        "event_id": event and event.entry.event_id,
        "seq": event and event.seq,
        "events": len(order.targets),
        "seqs": None if listed else [seq for seq, _ in order.targets],
        "erased": found.erased,
        "held": found.held,
        "time": format_time(order.time),
        "by": order.by,
        "approved_by": order.approved,
        "basis": order.basis,
        "reason": order.reason,
    }


def _hold(found: LoggedHold) -> dict[str, Any]:
    hold, release = found.hold, found.release
    first, stop = hold.span or (None, None)
    return {
        "hold_id": hold.request,
        "event_id": event_id(hold),
        "chain": hold.chain,
        "seq": found.event.seq,
        "from_seq": first,
        "to_seq": stop,
        "until": None if hold.until is None else format_time(hold.until),
        "in_force": found.in_force(now_millis()),
        "released": release
        and {
            "event_id": release.entry.event_id,
            "seq": release.seq,
            "time": format_time(release.entry.timestamp),
            "by": release.entry.principal,
        },
        "time": format_time(hold.time),
        "by": hold.by,
        "reason": hold.reason,
    }


def _where(wired: EraseWiring, chain: str, request: str) -> dict[str, str]:
    return {"Location": f"{wired.settings.base_path}/api/v1/chains/{chain}/erasures/{request}"}


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": model.model_json_schema()}}}}


router = api_router("governance")
_WRITES = documented(400, 404, 409, 413, 422, 500, 501, 503)
_READS = documented(404, 422, 500, 501, 503)


@router.post(
    "/chains/{chain}/erasures",
    status_code=202,
    responses={202: {"model": ErasureOut}, 200: {"model": ErasureOut, "description": "A replay"}, **_WRITES},
    openapi_extra=_body(ErasureRequest),
)
def order_erasure(caller: Eraser, wired: WiredErase, chain: ChainPath, body: OrderBody) -> Response:
    """Order that the payloads of up to 1000 events are erased; it is done once the order is anchored."""
    _check(caller, wired, chain)
    asked = _read(ErasureRequest, body)
    found = wired.ordering.erase(_asking(chain, caller, asked), asked.basis, asked.events)
    shown = _erasure(wired.shown.ordered(found))
    return json_response(shown, 200 if found.replayed else 202, _where(wired, chain, found.order.request))


@router.get("/chains/{chain}/erasures", responses={200: {"model": ErasureList}, **_READS})
def list_erasures(
    caller: Reader,
    wired: WiredErase,
    chain: ChainPath,
    before: Annotated[str | None, Query(pattern=r"^[0-9]{1,15}-[0-9]{1,16}$")] = None,
    limit: Annotated[int, Query(ge=1, le=100), DIGITS] = 20,
) -> Response:
    """Erasures of a chain, the newest first; the first page begins with those that wait for an approval."""
    _check(caller, wired, chain)
    after = None if before is None else Position(*map(int, before.split("-")))
    found, last = wired.shown.erasures(chain, limit, after)
    waiting = list(wired.shown.waiting(chain)) if before is None else []
    shown = [_erasure(each, listed=True) for each in [*waiting, *found]]
    return json_response({"erasures": shown, "next": last and f"{last.timestamp}-{last.seq}"})


@router.get("/chains/{chain}/erasures/{erasure_id}", responses={200: {"model": ErasureOut}, **_READS})
def get_erasure(caller: Reader, wired: WiredErase, chain: ChainPath, erasure_id: RequestPath) -> Response:
    """One erasure, and how many of its events are erased."""
    _check(caller, wired, chain)
    return json_response(_erasure(wired.shown.erasure(chain, str(erasure_id))))


@router.post(
    "/chains/{chain}/erasures/{erasure_id}/approve",
    status_code=202,
    responses={202: {"model": ErasureOut}, 200: {"model": ErasureOut, "description": "A replay"}, **_WRITES},
)
def approve_erasure(
    caller: Eraser, wired: WiredErase, chain: ChainPath, erasure_id: RequestPath, body: SmallBody
) -> Response:
    """Approve an erasure that another caller has asked for."""
    _check(caller, wired, chain)
    if body:
        raise InvalidError([Problem("", "an approval has no body: the erasure that it approves is in the path")])
    found = wired.ordering.approve(chain, str(erasure_id), caller.principal)
    shown = _erasure(wired.shown.ordered(found))
    return json_response(shown, 200 if found.replayed else 202, _where(wired, chain, found.order.request))


@router.post(
    "/chains/{chain}/holds",
    status_code=201,
    responses={201: {"model": HoldOut}, 200: {"model": HoldOut, "description": "A replay"}, **_WRITES},
    openapi_extra=_body(HoldRequest),
)
def order_hold(caller: Holder, wired: WiredErase, chain: ChainPath, body: OrderBody) -> Response:
    """Hold events of a chain, or all of it: none of them is erased as long as it is in force."""
    _check(caller, wired, chain)
    asked = _read(HoldRequest, body)
    span: tuple[int, int] | None = None
    if asked.from_seq is not None or asked.to_seq is not None:
        if asked.from_seq is None or asked.to_seq is None or asked.to_seq <= asked.from_seq:
            raise InvalidError([Problem("/to_seq", "from_seq and a to_seq that is larger come together, or neither")])
        span = asked.from_seq, asked.to_seq
    found = wired.ordering.hold(_asking(chain, caller, asked), span, asked.until)
    return _held(wired, chain, found.order.request, replayed=found.replayed)


@router.get("/chains/{chain}/holds", responses={200: {"model": HoldsOut}, **_READS})
def list_holds(caller: Reader, wired: WiredErase, chain: ChainPath) -> Response:
    """All holds of a chain, the newest first, whether they are in force or not."""
    _check(caller, wired, chain)
    return json_response({"holds": [_hold(each) for each in wired.shown.holds(chain)]})


@router.post(
    "/chains/{chain}/holds/{hold_id}/release",
    status_code=201,
    responses={201: {"model": HoldOut}, 200: {"model": HoldOut, "description": "A replay"}, **_WRITES},
    openapi_extra=_body(ReleaseRequest),
)
def release_hold(
    caller: Holder, wired: WiredErase, chain: ChainPath, hold_id: RequestPath, body: OrderBody
) -> Response:
    """Release a hold."""
    _check(caller, wired, chain)
    asked = _read(ReleaseRequest, body)
    found = wired.ordering.release(_asking(chain, caller, asked), str(hold_id))
    return _held(wired, chain, str(hold_id), replayed=found.replayed)


def carry_out(wired: EraseWiring, seconds: float) -> dict[str, Any]:
    """Carry out erasures for the schedule; what it is answered. Without a governance key there is nothing to do."""
    try:
        erasing = wired.erasing
    except NotSetUpError as error:
        return {"skipped": str(error)}
    with wired.connection.renew_if_refused():
        done = erasing.run(seconds)
    ErasureLog().finished(done, now_millis())
    return asdict(done)


def _held(wired: EraseWiring, chain: str, hold_id: str, *, replayed: bool) -> Response:
    """A hold as it stands in its chain now."""
    found = wired.ordering.holds(chain).asked(hold_id)
    assert found is not None
    return json_response(_hold(found), 200 if replayed else 201)
