"""Two different contents are never hashed or signed as the same bytes: every such text has its borders fixed.

The texts are in two tables (``tests/support/texts.py`` and ``signed_texts.py``). That no other function hashes or signs
is held by a walk through the sources: whoever adds one adds its row.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlog.formats import hashing, merkle
from eventlog.formats.errors import EvidenceError
from tests.support.each import each
from tests.support.signed_texts import ORDERS, SIGNED
from tests.support.texts import HASHED

ROOT = Path(__file__).parents[2]
LENGTHS = st.integers(0, 80)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHOLE = {
    "formats.anchor:digest": "a file, byte for byte",
    "formats.merkle:<module>": "the root of the empty tree: nothing",
    "http.tokens:find": "a token",
    "http.dashboard:_found": "a file of the page, for its ETag",
    "admin.token:add_token": "a token",
    "audit.restore:_write": "the text of a restore, which is in SIGNED",
    "anchors.registry:strike_off": "the payload of the event, canonical",
    "formats.witness_protocol:origin_hash": "an origin line, for an address",
    "witness.witness:_check_extends": "the text of a checkpoint, which is in SIGNED, for a file's name",
    "evidence.heads:proof": "an anchor, byte for byte",
    "audit.heads:note": "a sequence document, byte for byte",
    "audit.heads:_unchanged": "a sequence document, byte for byte",
    "audit.heads:_digest": "a public key",
    "formats.head_proof:leaf": "an anchor, byte for byte",
    "governance.erasing:minute_of": "the name of a chain, for a minute of the day",
    "audit.resuming:_unreadable": "a stored row, byte for byte, for an id",
}
"""What hashes one thing as it is, so that there is no border in it."""

COSIGNED = {"cosignature", "subtree"}
"""What a witness's key signs."""

SIGNING = {
    "formats.note:sign_note": {"checkpoint", "restore", "strike-off"},
    "formats.anchor:sign_anchor": {"checkpoint", "seal"},
    "formats.restore:sign_restore": {"restore"},
    "formats.strike_off:sign_strike_off": {"strike-off"},
    "formats.governance_note:sign_order": {"governance"},
    "formats.round:sign_round": {"round"},
    "formats.segment:sign_segment": {"segment"},
    "formats.standing:sign_standing": {"standing"},
    "audit.anchored:vouch": {"voucher"},
    "audit.rounds:_save": {"round-voucher"},
    "audit.head_list:save": {"heads-voucher"},
    "formats.heads:commitment_payload": {"commitment"},
    "audit.watch_position:keep": {"position"},
    "audit.index_results:keep": {"count-voucher"},
    "audit.vouchers:sign": {"voucher", "round-voucher", "heads-voucher", "count-voucher"},
    "anchors.signing:sign": set(SIGNED) - COSIGNED,
    "formats.cosignature:cosign": COSIGNED,
    "witness.keys:sign": COSIGNED,
    "wiring.witness:sign": COSIGNED,
}
"""What signs, and what it signs."""


def calls(names: set[str]) -> Iterator[str]:
    """Every function of the layer, the client and the operators' commands that calls something of these names."""
    for base in ("layers/eventlog/src/eventlog", "client/src/eventlog_client", "admin", "functions"):
        for path in sorted((ROOT / base).rglob("*.py")):
            place = path.relative_to(ROOT / base).with_suffix("").parts
            module = ".".join(place if base.startswith("layers") else (base.split("/")[-1], *place))
            text = path.read_text()
            if any(name in text for name in names):
                yield from (f"{module}:{where}" for where in _callers(ast.parse(text), names, "<module>"))


def _callers(node: ast.AST, names: set[str], where: str) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) else where
        if isinstance(child, ast.Call):
            called = child.func.attr if isinstance(child.func, ast.Attribute) else getattr(child.func, "id", "")
            if called in names:
                yield where
        yield from _callers(child, names, inside)


def test_every_function_that_hashes_or_signs_has_its_row() -> None:
    hashes = {"sha256", "sha1", "sha224", "sha384", "sha512", "sha3_256", "md5", "blake2b", "blake2s", "hmac", "crc32"}
    assert set(calls(hashes)) == {*HASHED, *ORDERS, *WHOLE}
    assert set(calls({"sign", "sign_note"})) == set(SIGNING)
    assert set().union(*SIGNING.values()) == set(SIGNED)


@pytest.mark.parametrize("name", [*HASHED, *ORDERS, *SIGNED])
@FEW
@given(data=st.data())
def test_what_is_hashed_or_signed_can_be_read_back_whole(name: str, data: st.DataObject) -> None:
    text = (HASHED | ORDERS | SIGNED)[name]
    contents = data.draw(text.contents)
    written = text.write(*contents)
    assert text.read(written) == contents
    assert text.made(*contents) == text.shorten(written)


@each("kind", SIGNED)
@FEW
@given(data=st.data())
def test_a_signed_text_of_one_kind_is_none_of_another_kind(kind: str, data: st.DataObject) -> None:
    """Whatever the log is called: its origin line may be ``eventlog/anchor/v1``, with which a seal's message begins."""
    written = SIGNED[kind].write(*data.draw(SIGNED[kind].contents))
    assert [other for other in SIGNED if _is(other, written)] == [kind]


def _is(kind: str, written: bytes) -> bool:
    try:
        SIGNED[kind].read(written)
    except (EvidenceError, UnicodeDecodeError):
        return False
    return True


@FEW
@given(together=st.binary(min_size=17, max_size=64), border=st.integers(0, 64))
def test_a_payload_hash_has_one_place_for_the_border_between_salt_and_payload(together: bytes, border: int) -> None:
    border = min(border, len(together))
    if border == 16:
        assert hashing.payload_hash(together[:border], together[border:])
        return
    with pytest.raises(ValueError, match="the salt has"):
        hashing.payload_hash(together[:border], together[border:])


@FEW
@given(prev=LENGTHS, content=LENGTHS)
def test_a_leaf_and_a_node_take_two_hashes_of_32_bytes(prev: int, content: int) -> None:
    first, second = b"p" * prev, b"c" * content
    if prev == content == 32:
        assert len(hashing.leaf(7, first, second)) == 72
        assert len(merkle.node_hash(first, second)) == 32
        return
    with pytest.raises(ValueError, match="two hashes of 32 bytes"):
        hashing.leaf(7, first, second)
    with pytest.raises(ValueError, match="two hashes of 32 bytes"):
        merkle.node_hash(first, second)


def test_a_hash_says_whether_it_is_of_a_leaf_of_a_node_or_of_the_beginning() -> None:
    """These may stand in one place, so their texts begin with another byte each."""
    assert merkle.node_hash(bytes(32), bytes(32)) != hashing.leaf_hash(bytes(64))
    firsts = {HASHED["formats.hashing:leaf_hash"].write(0, bytes(32), bytes(32))[0]}
    firsts |= {HASHED["formats.merkle:node_hash"].write(bytes(32), bytes(32))[0]}
    firsts |= {HASHED["formats.hashing:genesis"].write("o", "c")[0]}
    assert firsts == {0, 1, ord("e")}
