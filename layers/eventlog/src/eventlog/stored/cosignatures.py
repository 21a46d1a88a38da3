"""A witness's cosignature of an anchor, a document of ``cosignatures``; inserted once, never changed.

{_id: "<chain>/<number as 12 digits>/<key id in hex>", chain, number, size, witness, time, line}
"""

from dataclasses import dataclass
from typing import Any

from bson import DatetimeMS, Int64

from eventlog.formats.cosignature import cosigned_at
from eventlog.formats.cosigned_note import parse_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signature
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored.checks import check_types
from eventlog.stored.codec import encode
from eventlog.stored.errors import NotOursError

_TYPES = {"_id": str, "chain": str, "number": Int64, "size": Int64, "witness": str, "time": DatetimeMS, "line": str}


@dataclass(frozen=True, slots=True)
class StoredCosignature:
    """A cosignature of an anchor. It proves nothing by itself: ``line`` does, over the anchor as it is now.

    ``witness`` is the name in the line, ``line`` is without its newline.
    """

    chain: str
    number: int
    size: int
    witness: str
    line: str

    @property
    def signature(self) -> Signature:
        """The line, parsed."""
        return parse_line(self.line)


def encode_cosignature(found: StoredCosignature) -> bytes:
    """Encode a cosignature as a document of ``cosignatures``."""
    return encode(cosignature_fields(found))


def cosignature_fields(found: StoredCosignature) -> dict[str, Any]:
    """Write a document of ``cosignatures``; the time is the one in the line, as far as dates go."""
    signature = found.signature
    seconds = cosigned_at(signature.value) or 0
    return {
        "_id": f"{found.chain}/{found.number:012}/{signature.key_id.hex()}",
        "chain": found.chain,
        "number": Int64(found.number),
        "size": Int64(found.size),
        "witness": found.witness,
        "time": DatetimeMS(min(seconds * 1000, MAX_MILLIS)),
        "line": found.line,
    }


def read_cosignature(document: dict[str, Any]) -> StoredCosignature:
    """Understand a document of ``cosignatures``.

    Raises:
        NotOursError: a field is missing, of another type, or not what follows from the others.
    """
    # Whoever can write to the database may have made it. Id, witness and time follow from the rest, so a document is
    # accepted only as it is written again.
    check_types(document, _TYPES)
    found = StoredCosignature(
        document["chain"], int(document["number"]), int(document["size"]), document["witness"], document["line"]
    )
    if found.number < 1 or found.size < 0:
        raise NotOursError("number or size is out of range")
    try:
        name = found.signature.name
        written = cosignature_fields(found)
    except EvidenceError as error:
        raise NotOursError(f"line: {error}") from error
    if name != found.witness or written != document:
        raise NotOursError("id, witness or time is not that of the line")
    return found
