"""The database's copy of an anchor, a document of ``checkpoints``.

{_id: "<chain>/<number as 12 digits>", chain, number, size, time, note, keys: [vkey, ...]}

If the anchor is kept in a pack and not in an object of its own, ``pack`` follows: that pack's number.
"""

from dataclasses import dataclass
from typing import Any

from bson import DatetimeMS, Int64

from eventlog.formats.times import MAX_MILLIS
from eventlog.stored.checks import check_types
from eventlog.stored.codec import decode, encode
from eventlog.stored.errors import NotOursError

_TYPES = {"_id": str, "chain": str, "number": Int64, "size": Int64, "time": DatetimeMS, "note": str, "keys": list}


@dataclass(frozen=True, slots=True)
class AnchorCopy:
    """A copy of an anchor. It proves nothing by itself: the signatures in ``note`` do.

    ``note`` is the anchor byte for byte, ``size`` the tree size that it signs, ``time`` milliseconds since 1970, and
    ``keys`` are the verifier keys that signed it. ``pack`` is the number of the pack that the anchor is kept in
    (``formats/pack.py``); None: it is an object of its own.
    """

    chain: str
    number: int
    size: int
    time: int
    note: bytes
    keys: tuple[str, ...]
    pack: int | None = None


def encode_copy(copy: AnchorCopy) -> bytes:
    """Encode a copy as a document of ``checkpoints``."""
    return encode(copy_fields(copy))


def decode_copy(raw: bytes) -> AnchorCopy:
    """Understand a document of ``checkpoints`` as it is stored.

    Raises:
        NotOursError: it can't be decoded, or as in ``read_copy``.
    """
    return read_copy(decode(raw))


def copy_fields(copy: AnchorCopy) -> dict[str, Any]:
    """Write a document of ``checkpoints``."""
    return {
        "_id": _document_id(copy.chain, copy.number),
        "chain": copy.chain,
        "number": Int64(copy.number),
        "size": Int64(copy.size),
        "time": DatetimeMS(copy.time),
        "note": copy.note.decode(),
        "keys": list(copy.keys),
        **({} if copy.pack is None else {"pack": Int64(copy.pack)}),
    }


def read_copy(found: dict[str, Any]) -> AnchorCopy:
    """Understand a document of ``checkpoints`` that ``codec.decode`` or a collection with its options gave.

    Raises:
        NotOursError: a field is missing, of another type or out of range, or ``_id`` is not that of chain and number.
    """
    # Whoever can write to the database may have made it, so all is checked before any of it is used. The id must follow
    # from chain and number: else one anchor could have two copies.
    check_types(found, _TYPES | ({"pack": Int64} if "pack" in found else {}))
    if found["_id"] != _document_id(found["chain"], found["number"]):
        raise NotOursError("_id is not that of the checkpoint's chain and number")
    if not all(type(key) is str for key in found["keys"]):
        raise NotOursError("keys holds something that is no string")
    size, time, pack = int(found["size"]), int(found["time"]), found.get("pack")
    if found["number"] < 1 or size < 0 or not 0 <= time <= MAX_MILLIS or (pack is not None and pack < 1):
        raise NotOursError("number, size, time or pack is out of range")
    keys = tuple(found["keys"])
    kept = None if pack is None else int(pack)
    return AnchorCopy(found["chain"], int(found["number"]), size, time, found["note"].encode(), keys, kept)


def _document_id(chain: str, number: int) -> str:
    return f"{chain}/{number:012}"
