"""Every hashed text has its borders fixed: two different contents never encode alike (and so never share a hash)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats import hashing

HASH = b"h" * 32
LENGTHS = st.integers(0, 80)


@settings(max_examples=60, deadline=None)
@given(together=st.binary(min_size=17, max_size=64), border=st.integers(0, 64))
def test_a_payload_hash_has_one_place_for_the_border_between_salt_and_payload(together: bytes, border: int) -> None:
    border = min(border, len(together))
    if border == 16:
        assert hashing.payload_hash(together[:border], together[border:])
        return
    with pytest.raises(ValueError, match="the salt has"):
        hashing.payload_hash(together[:border], together[border:])


@settings(max_examples=60, deadline=None)
@given(prev=LENGTHS, content=LENGTHS)
def test_a_leaf_takes_two_hashes_of_32_bytes(prev: int, content: int) -> None:
    if prev == content == 32:
        assert len(hashing.leaf(7, b"p" * prev, b"c" * content)) == 72
        return
    with pytest.raises(ValueError, match="two hashes of 32 bytes"):
        hashing.leaf(7, b"p" * prev, b"c" * content)
