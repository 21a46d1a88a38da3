"""Tiles: one path each, the right nodes in each, and which of them a tree has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.formats.errors import EvidenceError
from eventlog.formats.proof import Node
from eventlog.formats.tiles import Tile, decode_entries, encode_entries, exists, format_tile, parse_tile, tile_nodes
from tests.support.each import each

PATHS = [
    ("0/000", Tile(0, 0)),
    ("0/999", Tile(0, 999)),
    ("0/x001/000", Tile(0, 1000)),
    ("0/x001/x234/067", Tile(0, 1234067)),
    ("0/x273/x000/000.p/112", Tile(0, 273_000_000, 112)),
    ("63/000.p/1", Tile(63, 0, 1)),
    ("9/001.p/255", Tile(9, 1, 255)),
    ("entries/x001/x234/067.p/8", Tile(None, 1234067, 8)),
    ("entries/000", Tile(None, 0)),
    ("0/x009/x223/x372/x036/x854/x775/807", Tile(0, MAX_SIZE)),
]


@pytest.mark.parametrize(("path", "tile"), PATHS)
def test_a_tile_has_one_path(path: str, tile: Tile) -> None:
    level, _, place = path.partition("/")
    assert parse_tile(level, place) == tile
    assert format_tile(tile) == path


@given(st.none() | st.integers(0, 63), st.integers(0, MAX_SIZE), st.integers(1, 256))
def test_every_tile_comes_back_from_its_path(level: int | None, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    first, _, rest = format_tile(tile).partition("/")
    assert parse_tile(first, rest) == tile


@pytest.mark.parametrize(
    "level", ["", "-1", "64", "00", "01", "100", "0x1", "1 ", " 1", "\u0661", "Entries", "entries/", "x"]
)
def test_another_level_is_refused(level: str) -> None:
    with pytest.raises(EvidenceError, match=r"level is 0\.\.63"):
        parse_tile(level, "000")


@pytest.mark.parametrize(
    "place",
    [
        "",
        "0",
        "00",
        "0000",
        "000/",
        "/000",
        "x000",
        "x000/",
        "001/000",
        "x01/000",
        "x0001/000",
        "X001/000",
        "x001//000",
        "x001/x000",
        "../000",
        "000.p",
        "000.p/",
        "000.p/0",
        "000.p/01",
        "000.p/-1",
        "000.p/1/",
        "000.p/1000",
        "000.P/1",
        "000p/1",
        "000.p/1\n",
        "000\n",
        "\u0661\u0661\u0661",
        "x001/" * 7 + "000",
    ],
)
def test_another_form_of_a_place_is_refused(place: str) -> None:
    with pytest.raises(EvidenceError, match="place is its index"):
        parse_tile("0", place)


@pytest.mark.parametrize(
    "place", ["x000/000", "x000/x001/000", "000.p/256", "000.p/999", "x009/x223/x372/x036/x854/x775/808"]
)
def test_a_needless_element_or_a_width_beyond_a_tile_is_refused(place: str) -> None:
    with pytest.raises(EvidenceError, match="no needless elements"):
        parse_tile("0", place)


@each("level", range(4))
def test_a_tile_holds_the_nodes_of_eight_levels_up(level: int) -> None:
    nodes = tile_nodes(Tile(level, 3, 17))
    assert nodes == [Node(8 * level, 3 * 256 + at) for at in range(17)]
    assert nodes[0].last + 1 == (3 * 256 + 1) * 256**level
    assert tile_nodes(Tile(None, 3, 17)) == tile_nodes(Tile(0, 3, 17))


def widths(level: int, size: int) -> dict[int, int]:
    """Each tile of a level of the tree with its width, by the formulas of C2SP tlog-tiles."""
    full = size // 256 ** (level + 1)
    partial = size // 256**level % 256
    return dict.fromkeys(range(full), 256) | ({full: partial} if partial else {})


def test_the_example_of_the_specification() -> None:
    """A tree of 70,000: 273 full tiles and one of 112; one full and one of 17; one of 1."""
    assert (len(widths(0, 70_000)), widths(0, 70_000)[273]) == (274, 112)
    assert widths(1, 70_000) == {0: 256, 1: 17}
    assert widths(2, 70_000) == {0: 1}


@each("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000])
def test_a_tree_has_its_tiles_whole_or_in_part_and_no_more(size: int) -> None:
    for level in (0, 1, 2, 3):
        found = widths(level, size)
        for index in (0, 1, 2, 255, 256, 257, 272, 273, 274):
            for width in (1, 2, 16, 17, 18, 111, 112, 113, 254, 255, 256):
                assert exists(Tile(level, index, width), size) == (width <= found.get(index, 0))
    assert not exists(Tile(63, 0, 1), size)


@each("size", range(0, 600, 7))
def test_a_bundle_of_entries_goes_with_the_tile_of_its_leaves(size: int) -> None:
    for index in range(4):
        for width in (1, 100, 255, 256):
            assert exists(Tile(None, index, width), size) == exists(Tile(0, index, width), size)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entries_come_back_from_their_bundle(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries)) == entries


def test_an_entry_has_its_length_before_it() -> None:
    assert encode_entries([b"", b"ab", b"x" * 258]) == b"\0\0" + b"\0\2ab" + b"\1\2" + b"x" * 258


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\1a\0", b"\0\3ab", b"\xff\xff" + b"x" * 65534])
def test_a_bundle_that_ends_within_an_entry_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="ends within an entry"):
        decode_entries(data)


def test_a_bundle_of_more_than_256_entries_is_refused() -> None:
    with pytest.raises(EvidenceError, match="at most 256"):
        decode_entries(bytes(2 * 257))
