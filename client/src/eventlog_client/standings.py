"""What audits have found of chains, and what of it still stands: read from the log, and checked if a key is pinned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import chain_name, members, text, whole
from eventlog.formats.note import VerifierKey
from eventlog.formats.standing import verify_standing
from eventlog_client.errors import LogMisbehavedError, UnexpectedAnswerError
from eventlog_client.keys import log_of
from eventlog_client.transport import Transport

PAGE = 1000
VERDICTS = ("tampered", "incomplete", "not_audited", "intact")


@dataclass(frozen=True, slots=True)
class ChainStanding:
    """What stands of a chain. ``verdict``: tampered, incomplete, not_audited or intact.

    ``chain`` is empty for what belongs to none. ``findings`` are the first of ``findings_total``; ``since`` is when the
    first was found, ``last_full_audit`` when that ended: RFC 3339, or None. ``verified``: a pinned key signed it.
    ``fields`` is all that the log shows of it.
    """

    chain: str
    verdict: str
    findings_total: int
    findings: list[dict[str, Any]]
    since: str | None
    last_full_audit: str | None
    verified: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogStanding:
    """What stands of all chains: the worst verdict, how many chains there are of each, those in which something stands.

    ``database``: what belongs to no chain; None for a caller with some chains only. None of it is signed; ``fields`` is
    the whole answer.
    """

    verdict: str
    chains: dict[str, int]
    tampered: list[ChainStanding]
    database: ChainStanding | None
    fields: Mapping[str, Any]


def parse_standing(chain: str, fields: Any, *, verified: bool = False) -> ChainStanding:
    """Read what stands of a chain.

    Raises:
        UnexpectedAnswerError: a member is missing or malformed.
    """
    try:
        shown = members(fields, "standing")
        findings = shown.get("findings")
        if not isinstance(findings, list) or not all(isinstance(finding, dict) for finding in findings):
            raise EvidenceError("findings must be a list of objects")
        last = shown.get("last_full_audit")
        return ChainStanding(
            chain=chain,
            verdict=_verdict(shown),
            findings_total=whole(shown, "findings_total"),
            findings=findings,
            since=None if shown.get("since") is None else text(shown, "since"),
            last_full_audit=None if last is None else text(members(last, "last_full_audit"), "finished_at"),
            verified=verified,
            fields=shown,
        )
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the answer does not say what stands: {error}") from error


def of_chain(transport: Transport, chain: str, keys: Sequence[VerifierKey]) -> ChainStanding:
    """Read what stands of a chain; with pinned keys, its note must be signed by one of them and say the same.

    Raises:
        EvidenceError: none of the keys has signed it.
        LogMisbehavedError: it is another chain's, or the signed note says something else.
    """
    answer = transport.get(f"/chains/{quote(chain, safe='')}").object()
    found = parse_standing(chain, answer.get("standing"), verified=bool(keys))
    if answer.get("chain") != chain:
        raise LogMisbehavedError(f"asked for chain {chain}, and got another", [answer])
    # A chain without any audit in full has no note: nothing is claimed of it, so nothing can be wrong.
    note = found.fields.get("note")
    if keys and (note is not None or found.verdict != "not_audited"):
        origin = log_of(keys[0].name)
        signed = verify_standing(str(note).encode(), [key.public_key for key in keys], origin)
        if (signed.chain, signed.verdict, signed.total) != (chain, found.verdict, found.findings_total):
            raise LogMisbehavedError(f"what is shown of chain {chain} is not what was signed", [answer])
    return found


def of_log(transport: Transport) -> LogStanding:
    """Read what stands of all chains, page after page."""
    tampered: list[ChainStanding] = []
    shown: list[Any] = []
    after: str | None = None
    # Each page says the whole log's verdict and counts again, as they are then: the last page's are the newest. Only
    # the tampered chains are a list that goes on. A log whose list does not get on would keep its reader for ever.
    while True:
        fields = transport.get("/standing", {"after": after, "limit": PAGE}).object()
        try:
            counts = members(fields.get("chains"), "chains")
            page = fields.get("tampered")
            if not isinstance(page, list):
                raise EvidenceError("tampered must be a list")
            tampered += [parse_standing(chain_name(members(one, "chain")), one.get("standing")) for one in page]
            shown += page
            before, after = after, None if fields.get("next") is None else text(fields, "next")
            if after is None:
                database = fields.get("database")
                return LogStanding(
                    verdict=_verdict(fields),
                    chains={verdict: whole(counts, verdict) for verdict in VERDICTS},
                    tampered=tampered,
                    database=None if database is None else parse_standing("", database),
                    fields=fields | {"tampered": shown},
                )
            if after == before:
                raise EvidenceError("the list does not go on where it says")
        except EvidenceError as error:
            raise UnexpectedAnswerError(f"the answer does not say what stands: {error}") from error


def _verdict(fields: Mapping[str, Any]) -> str:
    verdict = text(fields, "verdict")
    if verdict not in VERDICTS:
        raise EvidenceError(f"verdict must be one of {', '.join(VERDICTS)}")
    return verdict
