"""Events that stand whole in their documents, as most do: read by a guess, and written anew many at once.

Where each value stands follows from the lengths that the document states. Nothing else is checked on reading: what
``write_plain`` makes of the values has to be the same document. A property test keeps it the same as
``codec.encode_event``.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from eventlog.stored.layout import ENDINGS, NAMES, head_names

_Values = tuple[bytes, bytes, bytes, bytes, bytes, bytes, int]


class PlainForm(NamedTuple):
    """Documents whose names and texts have the same lengths, but for the payload's. ``size``: where that begins."""

    unpack_from: Callable[[bytes], _Values]
    size: int
    head: bytes


PlainRow = tuple[PlainForm, _Values, bytes, int]
"""A document's form, values, payload, and where the payload ends.

The values: event_id, event_type, source_id, timestamp and received_at in 8 bytes each, principal; the payload's length.
"""
_length, _seq = struct.Struct("<I").pack, struct.Struct("<q").pack
_ID, _SEQ, _TYPE, _SOURCE, _TIMESTAMP, _RECEIVED, _PRINCIPAL, _PAYLOAD = NAMES
_TO_PAYLOAD = len(_PAYLOAD) + 4
_EMPTY = len(b"{}")
"""A string that has so many bytes, with the zero at its end, is too short for a payload: it was erased."""


class PlainLayout:
    """The plain documents of one chain."""

    def __init__(self, chain: str) -> None:
        self._prefix, self._middle = head_names(chain)
        # Where the length of _id stands. Then, from one length to the next, what is between but for the texts, which
        # the lengths count with a zero at the end; names that follow a text have that zero, too.
        self._to_id = 4 + len(_ID)
        between = len(self._middle) + 4 + len(_SEQ) + 8 + len(_TYPE)
        self._to_type = self._to_id + 4 + between - len(self._prefix) - 2
        self._to_source = 4 + len(_SOURCE) - 1
        self._to_principal = 4 + len(_TIMESTAMP) + 8 + len(_RECEIVED) + 8 + len(_PRINCIPAL) - 1
        self._form = lru_cache(maxsize=1024)(self._make_form)

    def read(self, raw: bytes) -> PlainRow | None:
        """Read the values of a document, on the guess that it is plain; None if it can't be.

        It need not be one of ours: only a document that is written anew from them says so.
        """
        try:
            # Nearly all names have fewer than 255 bytes: then the first byte of a length says it all. Else what is
            # read here is wrong, and the document is gone over by itself.
            first = raw[self._to_id]
            at = self._to_type + 2 * first
            second = raw[at]
            at += self._to_source + second
            third = raw[at]
            form = self._form(first, second, third, raw[at + self._to_principal + third])
            values = form.unpack_from(raw)
        except (IndexError, struct.error):
            return None
        size, length = form.size, values[-1]
        if length <= _EMPTY or not raw.startswith(_PAYLOAD, size - _TO_PAYLOAD):
            return None
        end = size + length - 1
        return form, values, raw[size:end], end

    def _make_form(self, first: int, second: int, third: int, fourth: int) -> PlainForm:
        """Lay out documents with these lengths of _id, event_type, source_id and principal.

        Raises:
            struct.error: a length is less than that of an empty text.
        """
        prefix, middle, name = self._prefix, self._middle, first - 1 - len(self._prefix)
        layout = struct.Struct(
            f"<{self._to_id + 4 + len(prefix)}x{name}s"
            f"{len(middle) + 4 + name + len(_SEQ) + 8 + len(_TYPE) + 4}x{second - 1}s"
            f"{len(_SOURCE) + 4}x{third - 1}s{len(_TIMESTAMP)}x8s{len(_RECEIVED)}x8s"
            f"{len(_PRINCIPAL) + 4}x{fourth - 1}s{len(_PAYLOAD)}xI"
        )
        texts = tuple(map(_length, (first, name + 1, second, third, fourth)))
        parts = (
            *(b"", _ID + texts[0] + prefix, middle + texts[1], _SEQ, _TYPE + texts[2], _SOURCE + texts[3]),
            *(_TIMESTAMP, _RECEIVED, _PRINCIPAL + texts[4], _PAYLOAD, b""),
        )
        return PlainForm(layout.unpack_from, layout.size, b"%b".join(part.replace(b"%", b"%%") for part in parts))


def salts_of(documents: Iterable[bytes], ends: Iterable[int]) -> list[bytes]:
    """Read the salts of documents by where their payloads end."""
    return [raw[end + 12 : end + 28] for raw, end in zip(documents, ends, strict=True)]


def write_plain(
    seq: int, rows: Sequence[PlainRow], documents: Iterable[bytes], hashes: Iterable[tuple[bytes, ...]]
) -> list[bytes]:
    """Write the documents of events from ``seq`` on, without keys.

    ``documents``: what each is said to be as long as; ``hashes``: the salt of each, its four hashes in their order, and
    the nodes that it completes.
    """
    fresh = []
    for at, (form, values, payload, _), raw, given in zip(count(seq), rows, documents, hashes, strict=False):
        event_id, kind, source, timestamp, received, principal, length = values
        named = (_length(len(raw)), event_id, event_id, _seq(at), kind, source)
        head = form.head % (*named, timestamp, received, principal, _length(length))
        fresh.append(head + payload + ENDINGS[len(given) - 5] % given)
    return fresh
