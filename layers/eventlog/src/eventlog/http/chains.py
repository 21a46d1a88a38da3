"""``GET /api/v1/chains``: the chains, and one with what is known of its integrity."""

from typing import Annotated, Any

import orjson
from fastapi import Query, Response

from eventlog.audit.report_documents import read_report
from eventlog.errors import NotFoundError
from eventlog.fields import ChainName
from eventlog.http import answers
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.audit_fields import audit_fields
from eventlog.http.chain_schemas import ChainDetail, Chains, DamagedChainDetail, chain_fields, listed_fields
from eventlog.http.evidence import checkpoint_fields
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.query_strings import DIGITS
from eventlog.http.standing_fields import FEW, shown_standing, standing_of
from eventlog.store.errors import CorruptionError
from eventlog.wiring.query import QueryWiring

router = api_router("query")


@router.get("/chains", responses={200: {"model": Chains}, **documented(422, 500, 503)})
def list_chains(
    caller: Reader,
    wired: WiredQuery,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000), DIGITS] = 100,
) -> Response:
    """Chains by name, each with what stands of it; one whose sequence document is damaged has no head."""
    found = wired.log.chains(after, limit, caller.chains)
    standings = wired.standings.of([chain.name for chain in found])
    listed = (listed_fields(one) | {"standing": shown_standing(standings.get(one.name), FEW)} for one in found)
    shown = answers.fitting(map(orjson.dumps, listed))
    goes_on = len(shown) == limit or len(shown) < len(found)
    chains = list(map(orjson.Fragment, shown))
    return json_response({"chains": chains, "next": found[len(shown) - 1].name if goes_on else None})


@router.get(
    "/chains/{chain}",
    responses={200: {"model": ChainDetail | DamagedChainDetail}, **documented(404, 422, 500, 503)},
)
def get_chain(caller: Reader, wired: WiredQuery, chain: ChainName) -> Response:
    """A chain's head, its newest checkpoint, what stands of it, and its last audit; of a damaged one without a head."""
    caller.check(chain)
    row = wired.standings.of([chain]).get(chain)
    head = _head(wired, chain)
    if head is None:
        known = standing_of(row)
        if known is None or not known.findings:
            raise NotFoundError(f"There is no chain {chain}.")
    # What was found is said of a chain that can't be read, or is gone, too: that is when it is asked for.
    audits = [audit_fields(read_report(stored)) for stored in wired.audits.newest(chain, 1, None)]
    more = {"standing": shown_standing(row), "last_audit": next(iter(audits), None)}
    return json_response((head or {"chain": chain, "damaged": True}) | more)


def _head(wired: QueryWiring, chain: str) -> dict[str, Any] | None:
    """A chain's head with its newest checkpoint, what lists say of a damaged one, or None if there is no such chain."""
    try:
        checkpoint = checkpoint_fields(wired.evidence.newest(chain))
        found = wired.log.chain(chain)
    except CorruptionError:
        return {"chain": chain, "damaged": True}
    return None if found is None else chain_fields(found) | checkpoint
