"""Frames of Server-Sent Events: what is written is read back, by the product's parser and by another."""

from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.sse import Frame, format_frame, parse_frames
from tests.support.event_source import Interpreter

names = st.text("abcdefghij", min_size=1, max_size=8)


@given(data=st.text(min_size=1), event=names | st.just(""), seq=st.none() | st.integers(-1, 2**63))
def test_what_is_written_is_one_event_for_every_reader(data: str, event: str, seq: int | None) -> None:
    frame = format_frame(data.encode(), event=event, seq=seq)
    source = Interpreter()
    source.feed(frame.decode())
    (message,) = source.messages
    expected = data.replace("\r\n", "\n").replace("\r", "\n")
    assert (message.type, message.data) == (event or "message", expected)
    assert message.id == ("" if seq is None else str(seq))
    (read,) = parse_frames(frame.splitlines(keepends=True))
    assert (read.event, read.id) == (message.type, message.id)
    assert read.data == expected.encode()


def test_a_frame_without_data_still_moves_the_place() -> None:
    lines = format_frame(comment="nothing new", seq=7, retry=20).splitlines(keepends=True)
    assert list(parse_frames(lines)) == [Frame("message", None, "7", 20)]


def test_a_frame_that_is_cut_off_is_none() -> None:
    whole = format_frame(b"{}", seq=1)
    for end in range(len(whole)):
        assert list(parse_frames(whole[:end].splitlines(keepends=True), "0")) == []


def test_the_id_of_the_connection_before_is_kept() -> None:
    assert [frame.id for frame in parse_frames([b"data: 1\n", b"\n", b"id: 5\n", b"\n"], "4")] == ["4", "5"]


@given(pieces=st.lists(st.text("ab\r\n:", max_size=5)))
def test_the_reader_of_the_tests_does_not_mind_where_pieces_end(pieces: list[str]) -> None:
    whole, parts = Interpreter(), Interpreter()
    whole.feed("data: x" + "".join(pieces) + "\n\n")
    for piece in ["data: x", *pieces, "\n\n"]:
        parts.feed(piece)
    assert parts.messages == whole.messages
