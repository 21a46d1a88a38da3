"""``eventlog status``: what audits have found, and what of it still stands."""

from typing import Annotated, Any

import typer

from eventlog_client.output import Output
from eventlog_client.session import MISBEHAVED, Key, session_of
from eventlog_client.standings import VERDICTS, ChainStanding, LogStanding

CHAINS = ("chain", "verdict", "findings", "since", "last_full_audit")
FINDINGS = ("kind", "seq", "found_at", "audit_id")
WORDS = {
    "tampered": "TAMPERED",
    "incomplete": "incomplete: the last full audit could not check everything",
    "not_audited": "not audited yet",
    "intact": "intact",
}


def status(
    context: typer.Context,
    chain: Annotated[str | None, typer.Option(help="One chain, with its findings (default: all chains).")] = None,
    key: Key = [],  # noqa: B006
) -> int:
    """Show what audits have found and still stands.

    It stands until a later full audit of the chain is clean, whatever audits of what is new say
    meanwhile. With --chain and a pinned key, the signed note that says so is verified.
    """
    session = session_of(context)
    with session.log(key) as log:
        if chain is None:
            if key:
                raise typer.BadParameter("a key is for one --chain", param_hint="--key")
            return _show_log(session.output, log.standing())
        return _show_chain(session.output, log.chain_standing(chain))


def _show_chain(output: Output, found: ChainStanding) -> int:
    if output.json:
        output.document({"chain": found.chain, "standing": dict(found.fields)})
    else:
        signed = ", signed by the pinned key" if found.verified else ""
        output.say(f"Chain {found.chain}: {WORDS[found.verdict]}{_counted(found)}{signed}.")
        output.say(_since(found))
        output.table(FINDINGS, found.findings)
    return MISBEHAVED if found.verdict == "tampered" else 0


def _show_log(output: Output, found: LogStanding) -> int:
    if output.json:
        output.document(dict(found.fields))
    else:
        counted = (f"{found.chains[verdict]} {verdict.replace('_', ' ')}" for verdict in VERDICTS)
        output.say(f"{sum(found.chains.values())} chains: {', '.join(counted)}.")
        others = [one for one in (found.database,) if one is not None and one.verdict in ("tampered", "incomplete")]
        output.table(CHAINS, (_row(one) for one in [*found.tampered, *others]))
    return MISBEHAVED if found.verdict == "tampered" else 0


def _row(found: ChainStanding) -> dict[str, Any]:
    return {
        "chain": found.chain or "(of no chain)",
        "verdict": WORDS[found.verdict],
        "findings": found.findings_total,
        "since": found.since,
        "last_full_audit": found.last_full_audit,
    }


def _counted(found: ChainStanding) -> str:
    count = found.findings_total
    return "" if not count else ", 1 finding stands" if count == 1 else f", {count} findings stand"


def _since(found: ChainStanding) -> str:
    """Say between which audits it happened, or when all was well."""
    intact = found.fields.get("last_intact")
    before = intact.get("started_at") if isinstance(intact, dict) else None
    if found.since:
        return (
            f"It happened before {found.since}, and after {before or 'the chain began: no full audit was clean yet'}."
        )
    return f"Last full audit: {found.last_full_audit or 'none yet'}."
