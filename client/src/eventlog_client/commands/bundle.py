"""``eventlog export`` and ``eventlog verify-bundle``: evidence that leaves the log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from eventlog.formats.bundle_check import BundleReport
from eventlog_client.destination import destination, is_stdout
from eventlog_client.exports import complete_ranges
from eventlog_client.given_files import verify_bundle_file
from eventlog_client.output import erased_sentence, progress
from eventlog_client.session import (
    ChainOption,
    GovernanceKey,
    Key,
    MaxWitnessAge,
    PolicyOption,
    governance_keys,
    session_of,
    trust,
)


def export(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="Where to write; - for standard output.")],
    from_seq: Annotated[int | None, typer.Option(min=0, help="From this seq on.")] = None,
    to_seq: Annotated[int | None, typer.Option(min=0, help="Before this seq.")] = None,
    start: Annotated[str | None, typer.Option(help="From this time on (RFC 3339).")] = None,
    end: Annotated[str | None, typer.Option(help="Before this time.")] = None,
    chain: ChainOption = "main",
) -> None:
    """Write events as an evidence bundle.

    It has all it takes to verify them without the log: see verify-bundle.
    """
    session = session_of(context)
    # How many events there will be is known only if both ends are seqs; otherwise the bar has no end.
    count = 0
    total = to_seq - (from_seq or 0) if to_seq is not None else None
    with session.log() as log, destination(file) as written, progress("exporting", total) as advance:

        def counted(events: int) -> None:
            nonlocal count
            count += events
            advance(events)

        parts = log.export(
            written, chain, advance=counted, from_seq=from_seq, to_seq=to_seq, start_time=start, end_time=end
        )
    if not is_stdout(file):
        summary = {"file": str(file), "events": count, "parts": parts}
        session.output.say(f"{count} events in {file}, {parts} part{'s' * (parts != 1)}; not yet verified.", summary)


def verify_bundle(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    key: Key = [],  # noqa: B006
    governance_key: GovernanceKey = [],  # noqa: B006
    policy: PolicyOption = None,
    max_witness_age: MaxWitnessAge = None,
) -> None:
    """Verify a bundle without the log.

    Each event, each link and the root are checked; the root must be signed with a pinned key.
    An erased event must be named by an order in the bundle; with --governance-key that must be signed with such a key.
    With --policy each checkpoint in it must be cosigned as well.
    """
    session = session_of(context)
    trusted, governance = trust(key, policy, max_witness_age), governance_keys(governance_key)
    size = file.stat().st_size
    with progress("verifying", size) as advance:
        report = verify_bundle_file(file, trusted.keys, advance, governance)
    witnesses = trusted.witnesses
    witnessed = [] if witnesses is None else [witnesses.check(part.note) for part in report.parts]
    if session.output.json:
        shown = {"witnessed": [each.fields() for each in witnessed]} if witnesses else {}
        session.output.document(report_fields(report) | shown)
        return
    for sentence in [*sentences(report), *dict.fromkeys(each.sentence() for each in witnessed)]:
        session.output.say(sentence)


def report_fields(report: BundleReport) -> dict[str, object]:
    """Return what a verified bundle shows, as JSON."""
    return {
        "verified": True,
        "events": report.events,
        "erased": report.erased,
        "authority_checked": report.authority,
        "complete": [{"chain": c, "from_seq": a, "to_seq": b} for c, a, b in complete_ranges(report.parts)],
        "checkpoints": [{"origin": p.checkpoint.origin, "size": p.checkpoint.size} for p in report.parts],
    }


def sentences(report: BundleReport) -> Iterator[str]:
    """Yield what a verified bundle shows, in sentences."""
    heads = {f"size {part.checkpoint.size} of {part.checkpoint.origin}" for part in report.parts}
    yield f"Verified: {report.events} events stand in the tree of {', '.join(sorted(heads))}, signed with a pinned key."
    if report.erased:
        yield erased_sentence(report.erased, authority=report.authority)
    for chain, start, end in complete_ranges(report.parts):
        yield (
            f"Complete: no event of chain {chain} from seq {start} to {end - 1} is missing."
            if start < end
            else (f"Nothing of chain {chain} from seq {start} on is covered.")
        )
    if any(part.complete is None for part in report.parts):
        yield "Selected by time: that no other event has such a time can't be shown by this file."
