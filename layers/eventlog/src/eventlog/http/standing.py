"""``GET /api/v1/standing``: what stands of all chains, at once."""

from collections.abc import Iterable
from typing import Annotated, get_args

import orjson
from fastapi import Query, Response

from eventlog.formats.standing import StandingVerdict
from eventlog.http import answers
from eventlog.http.access import Reader
from eventlog.http.answers import json_response
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery
from eventlog.http.query_strings import DIGITS
from eventlog.http.standing_fields import FEW, shown_standing, standing_of
from eventlog.http.standing_schemas import LogStandingOut

_WORST_FIRST: tuple[StandingVerdict, ...] = ("tampered", "incomplete", "not_audited", "intact")
_KNOWN: tuple[StandingVerdict, ...] = get_args(StandingVerdict)

router = api_router("query")


@router.get("/standing", responses={200: {"model": LogStandingOut}, **documented(422, 500, 503)})
def get_standing(
    caller: Reader,
    wired: WiredQuery,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000), DIGITS] = 100,
) -> Response:
    """What audits have found of all chains and still stands, and how many chains there are of each verdict."""
    counted = wired.standings.verdicts(caller.chains)
    chains = {verdict: counted[verdict] for verdict in _WORST_FIRST}
    # A chain without a standing was never audited in full, and one that can't be understood is no praise either.
    chains["not_audited"] += sum(number for verdict, number in counted.items() if verdict not in _KNOWN)
    rows = wired.standings.with_verdict("tampered", after, limit, caller.chains)
    seen = [row for row in rows if caller.may(row.chain)]
    shown = answers.fitting(orjson.dumps({"chain": row.chain, "standing": shown_standing(row, FEW)}) for row in seen)
    last = rows[-1] if len(rows) == limit else None
    if len(shown) < len(seen):  # the answer is full before the list is
        last = seen[len(shown) - 1]
    # What belongs to no chain tells about all of them.
    database = None if caller.chains is not None else wired.standings.of([""]).get("")
    there = [verdict for verdict, number in chains.items() if number]
    if known := standing_of(database):
        there.append(known.verdict)
    return json_response(
        {
            "verdict": _worst(there),
            "chains": chains,
            "tampered": list(map(orjson.Fragment, shown)),
            "next": last and last.chain,
            "database": None if caller.chains is not None else shown_standing(database, FEW),
        }
    )


def _worst(verdicts: Iterable[StandingVerdict]) -> StandingVerdict:
    """Name the worst; an empty log was not audited."""
    return min(verdicts, key=_WORST_FIRST.index, default="not_audited")
