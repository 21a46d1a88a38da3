"""``eventlog export`` and ``eventlog verify-bundle``: evidence that leaves the log."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from eventlog.formats.bundle_check import BundleReport
from eventlog.formats.bundle_check import verify_bundle as check
from eventlog_client.exports import complete_ranges, file_lines
from eventlog_client.output import Advance, progress
from eventlog_client.session import ChainOption, Key, need_keys, session_of


def export(
    context: typer.Context,
    *,
    file: Annotated[str, typer.Argument(help="Where to write; - for standard output.")],
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
    with session.log() as log, written(file) as destination, progress("exporting", total) as advance:

        def counted(events: int) -> None:
            nonlocal count
            count += events
            advance(events)

        parts = log.export(
            destination, chain, advance=counted, from_seq=from_seq, to_seq=to_seq, start_time=start, end_time=end
        )
    if file != "-":
        summary = {"file": file, "events": count, "parts": parts}
        session.output.say(f"{count} events in {file}, {parts} part{'s' * (parts != 1)}; not yet verified.", summary)


def verify_bundle(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The bundle.")],
    key: Key = [],  # noqa: B006
) -> None:
    """Verify a bundle without the log.

    Each event, each link and the root are checked; the root must be signed with a pinned key.
    """
    session = session_of(context)
    keys = need_keys(key)
    size = file.stat().st_size
    with progress("verifying", size) as advance:
        report = check(measured(file, advance), keys)
    if session.output.json:
        session.output.document(report_fields(report))
        return
    for sentence in sentences(report):
        session.output.say(sentence)


def report_fields(report: BundleReport) -> dict[str, object]:
    """Return what a verified bundle shows, as JSON."""
    return {
        "verified": True,
        "events": report.events,
        "complete": [{"chain": c, "from_seq": a, "to_seq": b} for c, a, b in complete_ranges(report.parts)],
        "checkpoints": [{"origin": p.checkpoint.origin, "size": p.checkpoint.size} for p in report.parts],
    }


def sentences(report: BundleReport) -> Iterator[str]:
    """Yield what a verified bundle shows, in sentences."""
    heads = {f"size {part.checkpoint.size} of {part.checkpoint.origin}" for part in report.parts}
    yield f"Verified: {report.events} events stand in the tree of {', '.join(sorted(heads))}, signed with a pinned key."
    for chain, start, end in complete_ranges(report.parts):
        yield (
            f"Complete: no event of chain {chain} from seq {start} to {end - 1} is missing."
            if start < end
            else (f"Nothing of chain {chain} from seq {start} on is covered.")
        )
    if any(part.complete is None for part in report.parts):
        yield "Selected by time: that no other event has such a time can't be shown by this file."


def measured(path: Path, advance: Advance) -> Iterator[bytes]:
    """Yield a file's lines, and move the progress bar."""
    for line in file_lines(path):
        advance(len(line))
        yield line


@contextmanager
def written(name: str) -> Iterator[IO[bytes]]:
    """Open a file that gets its name only once it is whole, or standard output.

    Raises:
        OSError: the file can't be written.
    """
    if name == "-":
        yield sys.stdout.buffer
        return
    # Under its own name a half of a bundle could be taken for a whole one, so the name comes last.
    path = Path(name)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
