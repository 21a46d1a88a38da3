"""Of which ranges the command says that no event is missing, over the parts of a file."""

from eventlog.formats.bundle import SeqRange, TimeRange
from eventlog.formats.bundle_part import PartReport
from eventlog.formats.checkpoint import Checkpoint
from eventlog_client.exports import complete_ranges


def part(start: int, end: int, line: str = "example.com/log/main", *, complete: bool = True) -> PartReport:
    checkpoint = Checkpoint(line, 100, bytes(32))
    selection = SeqRange(start, end) if complete else TimeRange(None, None)
    span = (start, end) if complete else None
    return PartReport(line.rpartition("/")[0], "main", checkpoint, b"", selection, end - start, span, None)


def test_parts_that_follow_each_other_are_one_range() -> None:
    assert complete_ranges((part(0, 2), part(2, 5), part(7, 9))) == [("main", 0, 5), ("main", 7, 9)]


def test_parts_that_are_not_known_to_be_linked_are_ranges_of_their_own() -> None:
    expected = [("main", 0, 2), ("main", 2, 5)]
    assert complete_ranges((part(0, 2), part(0, 1, complete=False), part(2, 5))) == expected
    assert complete_ranges((part(0, 2), part(2, 5, "example.com/log/main~2"))) == expected
    assert complete_ranges((part(0, 2), part(2, 5, "example.org/log/main"))) == expected
