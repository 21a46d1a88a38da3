"""Verification of evidence bundles line by line, in flat memory; only the keys that the caller pins are trusted."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventlog.formats import bundle, hashing
from eventlog.formats.bundle import Header
from eventlog.formats.bundle_erasures import PartErasures
from eventlog.formats.bundle_part import Part, PartReport
from eventlog.formats.checkpoint import epoch_of, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.event_json import contradiction, format_event, parse_event
from eventlog.formats.members import parse_json
from eventlog.formats.note import VerifierKey


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What a verified file shows, part by part; ``authority``: whether governance keys were given to check orders."""

    parts: tuple[PartReport, ...]
    authority: bool = False

    @property
    def events(self) -> int:
        """Events in all parts."""
        return sum(part.events for part in self.parts)

    @property
    def erased(self) -> int:
        """Erased events in all parts."""
        return sum(part.erased for part in self.parts)


@dataclass(slots=True)
class _File:
    """A file under verification: the parts that are done and the one under way."""

    keys: Sequence[VerifierKey]
    governance: Sequence[VerifierKey] | None = None
    part: Part | None = None
    done: list[PartReport] = field(default_factory=list)
    roots: dict[tuple[str, int], bytes] = field(default_factory=dict)
    last: Event | None = None

    def take(self, line: bytes) -> bool:
        """Verify one line; return whether it was an event."""
        fields = _parse_line(line)
        # Each kind of line is written again from what was read and must come out the same: one form only.
        if self.part is None:
            self._begin(line, bundle.parse_header(fields))
        elif "event" in fields or (self.part.header.version > 1 and "erased" in fields):
            event = _event(line, fields)
            self.part.take_event(event)
            # Within a part, links are checked leaf by leaf. Between parts only the two events that meet can be
            # compared.
            if self.part.events == 1:
                self._compare(event)
            self.last = event
            return True
        elif self.part.header.version > 1 and "erasure" in fields:
            event = parse_event(fields["erasure"])
            _same(line, bundle.erasure_line(format_event(event)))
            self.part.take_erasure(event)
        elif "gap" in fields:
            gap = bundle.parse_gap(fields)
            _same(line, bundle.gap_line(gap))
            self.part.take_gap(gap)
        elif "end" in fields:
            end = bundle.parse_end(fields)
            _same(line, bundle.end_line(end))
            self.done.append(self.part.finish(end))
            self.part = None
        else:
            raise EvidenceError("a line of a bundle is an event, a gap or the end")
        return False

    def _compare(self, event: Event) -> None:
        """Check that the first event of a part does not contradict the last event of the part before it."""
        why = None if self.last is None else contradiction(self.last, event)
        if why is not None:
            raise EvidenceError(why)

    def _begin(self, line: bytes, header: Header) -> None:
        _same(line, bundle.header_line(header))
        checkpoint, _ = verify_checkpoint(header.checkpoint, self.keys)
        epoch_of(checkpoint.origin, header.origin, header.chain)
        # Two checkpoints of one origin and size must have one root, or the log showed two histories.
        root = self.roots.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root)
        if root != checkpoint.root:
            raise EvidenceError(f"two parts have another checkpoint of size {checkpoint.size}: the log forked")
        # Seq 0 links to the genesis hash, so the first leaf is checked like every other.
        genesis = hashing.genesis(header.origin, header.chain)
        erasures = PartErasures(header.origin, header.chain, self.governance)
        self.part = Part(header, checkpoint, erasures, before=genesis)
        if self.done and (self.done[-1].origin, self.done[-1].chain) != (header.origin, header.chain):
            self.last = None


def verify_bundle(
    lines: Iterable[bytes],
    keys: Sequence[VerifierKey],
    progress: Callable[[int], None] | None = None,
    governance: Sequence[VerifierKey] | None = None,
) -> BundleReport:
    """Verify a bundle, or several one after the other, given as lines with their newlines.

    Every hash is derived from the events' fields, events that stand side by side are linked, and the tree's root is
    that of a checkpoint signed by one of the keys, whose names are origin lines. ``progress`` is called with the number
    of events so far. A line over 4 MiB is refused; code that splits a file into lines should bound them too.
    ``governance``: keys, named for their logs, of which one must have signed each order to erase; None: not checked.

    Raises:
        EvidenceError: a line does not verify; the text names it, counted from 1.
    """
    # Each line is verified and forgotten: what is kept is a frontier of at most 63 hashes, however long the file is.
    file, number, events = _File(keys, governance), 0, 0
    for number, line in enumerate(lines, 1):
        try:
            is_event = file.take(line)
        except EvidenceError as error:
            raise EvidenceError(f"line {number}: {error}") from error
        events += is_event
        if is_event and progress is not None:
            progress(events)
    if file.part is not None or not file.done:
        raise EvidenceError(f"line {number + 1}: the bundle is cut off, its end line is missing")
    return BundleReport(tuple(file.done), authority=governance is not None)


def _parse_line(line: bytes) -> dict[str, Any]:
    if len(line) > bundle.MAX_LINE:
        raise EvidenceError(f"longer than {bundle.MAX_LINE} bytes")
    fields = parse_json(line)
    if not isinstance(fields, dict):
        raise EvidenceError("a line of a bundle is a JSON object")
    return fields


def _event(line: bytes, fields: dict[str, Any]) -> Event:
    """Read an event of the selection: one that was erased has a line of another name, which says by which event."""
    event = parse_event(fields["event" if "event" in fields else "erased"])
    shown = format_event(event)
    _same(line, bundle.event_line(shown) if event.erased is None else bundle.erased_line(shown, event.erased.seq))
    return event


def _same(line: bytes, written: bytes) -> None:
    if line != written:
        raise EvidenceError("not written as a bundle's line is: compact, with its members in order and no other")
