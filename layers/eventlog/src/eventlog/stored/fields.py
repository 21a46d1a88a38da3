"""The fields of a stored document, with their types: plain values on our side, BSON's in the document.

Counts are int64, times are dates in whole milliseconds since 1970, a ``ClusterTime`` is a timestamp.
"""

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import bson
from bson import DatetimeMS, Decimal128, Int64, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON

from eventlog.formats.hashing import HASH_SIZE
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored.errors import NotOursError

_T = TypeVar("_T")
_ROUGH: CodecOptions[dict[str, Any]] = CodecOptions(
    unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_MS
)


@dataclass(frozen=True, slots=True)
class ClusterTime:
    """A moment on the clock of the database's cluster: the seconds since 1970, and a counter within that second.

    ``gossip`` is what the cluster itself said of its time then, as BSON: a server of it that has not come so far yet
    refuses to wait for the moment unless it is told that, too. It is not stored: later, all of them have come so far.
    """

    seconds: int
    increment: int
    gossip: bytes = field(default=b"", compare=False)


def count(value: int) -> Int64:
    """Write a count, a size or a seq."""
    return Int64(value)


def maybe_count(value: int | None) -> Int64 | None:
    """Write a count that may be unknown."""
    return None if value is None else Int64(value)


def date(millis: int) -> DatetimeMS:
    """Write a time, given in milliseconds since 1970."""
    return DatetimeMS(millis)


def maybe_date(millis: int | None) -> DatetimeMS | None:
    """Write a time that may be unknown."""
    return None if millis is None else DatetimeMS(millis)


def timestamp(time: ClusterTime | None) -> Timestamp | None:
    """Write a moment of the cluster's clock."""
    return None if time is None else Timestamp(time.seconds, time.increment)


def decode_roughly(raw: bytes) -> dict[str, Any]:
    """Decode as much as can be read of a document that nobody should have written; text that is no UTF-8 is replaced.

    What is no BSON at all is an empty document.
    """
    try:
        return bson.decode(raw, codec_options=_ROUGH)
    except (InvalidBSON, ValueError, OverflowError):
        return {}


def floor_of_seq(raw: bytes) -> int:
    """Return the whole number at or below the seq of a row that may be damaged; 0 if that is no number of an int64."""
    seq = decode_roughly(raw).get("seq")
    if isinstance(seq, Decimal128):
        seq = seq.to_decimal()
    if isinstance(seq, bool) or not isinstance(seq, (int, float, Decimal)) or not 0 <= seq < 2**63:
        return 0
    return math.floor(seq)


class Fields:
    """Reads the fields of a decoded document.

    Every method raises ``NotOursError`` if the field is missing (its cause is then the ``KeyError``) or of another
    type. The ``maybe_`` forms take null as well.
    """

    def __init__(self, document: object) -> None:
        if not isinstance(document, dict):
            raise NotOursError(f"not a document but {type(document).__name__}")
        self._document: dict[str, object] = document

    def get(self, name: str, kind: type[_T]) -> _T:
        """Read a value of exactly this type."""
        value = self._value(name)
        if type(value) is not kind:
            raise NotOursError(f"{name} is of type {type(value).__name__}")
        return value

    def maybe(self, name: str, kind: type[_T]) -> _T | None:
        """Read as ``get`` does, or null."""
        return None if self._value(name) is None else self.get(name, kind)

    def count(self, name: str) -> int:
        """Read a whole number."""
        value = self._value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise NotOursError(f"{name} is of type {type(value).__name__}")
        return int(value)

    def maybe_count(self, name: str) -> int | None:
        """Read as ``count`` does, or null."""
        return None if self._value(name) is None else self.count(name)

    def date(self, name: str) -> int:
        """Read a time in milliseconds since 1970, up to the year 9999."""
        millis = int(self.get(name, DatetimeMS))
        if not 0 <= millis <= MAX_MILLIS:
            raise NotOursError(f"{name} is outside the years 1970..9999")
        return millis

    def maybe_date(self, name: str) -> int | None:
        """Read as ``date`` does, or null."""
        return None if self._value(name) is None else self.date(name)

    def maybe_timestamp(self, name: str) -> ClusterTime | None:
        """Read a moment of the cluster's clock, or null."""
        found = self.maybe(name, Timestamp)
        return None if found is None else ClusterTime(found.time, found.inc)

    def inner(self, name: str) -> "Fields":
        """Open the document in this field."""
        return Fields(self._value(name))

    def hash(self, name: str) -> bytes:
        """Read a hash, 32 bytes: of another length, two that stand side by side could be told apart in two ways."""
        return _hash(self.get(name, bytes), name)

    def maybe_hash(self, name: str) -> bytes | None:
        """Read as ``hash`` does, or null."""
        return None if self._value(name) is None else self.hash(name)

    def hashes(self, name: str) -> list[bytes]:
        """Read an array of hashes."""
        return [_hash(item, name) for item in self.items(name, bytes)]

    def maybe_hashes(self, name: str) -> list[bytes | None]:
        """Read an array of hashes and nulls."""
        return [None if item is None else _hash(item, name) for item in self.items(name, bytes, type(None))]

    def items(self, name: str, *kinds: type[_T]) -> list[_T]:
        """Read an array whose items are each of one of these types."""
        found: list[_T] = self.get(name, list)
        for item in found:
            if type(item) not in kinds:
                raise NotOursError(f"{name} has an item of type {type(item).__name__}")
        return found

    def _value(self, name: str) -> object:
        try:
            return self._document[name]
        except KeyError as error:
            raise NotOursError(f"{name} is missing") from error


def _hash(value: bytes, name: str) -> bytes:
    if len(value) != HASH_SIZE:
        raise NotOursError(f"{name} has a hash of {len(value)} bytes, not {HASH_SIZE}")
    return value
