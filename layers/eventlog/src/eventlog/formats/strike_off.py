"""Strike-offs: the signed note in which an operator says that an entry of the registry names no chain.

The registry names every chain that was anchored, so that one is missed that vanishes together with its anchors. Whoever
can write to the database can put a name there that never was a chain. This note says, for good, which entry is void and
why. Its text:

    eventlog/strike-off/v1
    <the origin line of the registry>
    chain <the name>
    entry <seq of the entry> <hash of the entry, hexadecimal>
    time <milliseconds since 1970>
    <why, in one line>

Specified in docs/formats/strike-off-note.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eventlog.formats.checkpoint import parse_decimal
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import hex_bytes
from eventlog.formats.names import is_chain_name
from eventlog.formats.note import Signer, VerifierKey, format_note, parse_note, sign_note, verify_note
from eventlog.formats.restore import MAX_REASON
from eventlog.formats.times import MAX_MILLIS


@dataclass(frozen=True, slots=True)
class StrikeOff:
    """An entry of the registry that is void: its place, and its hash. ``origin`` is the registry's origin line."""

    origin: str
    chain: str
    seq: int
    hash: bytes
    time: int
    reason: str


def format_strike_off(struck: StrikeOff) -> str:
    """Return the note text.

    Raises:
        EvidenceError: the reason is not one line of 1 to 500 characters, or no chain can have this name.
    """
    # A line break in one of these could forge the lines around it.
    if not 0 < len(struck.reason) <= MAX_REASON or not struck.reason.isprintable():
        raise EvidenceError(f"the reason must be one line of 1 to {MAX_REASON} characters")
    if not is_chain_name(struck.chain):
        raise EvidenceError("no chain can have this name")
    lines = (
        "eventlog/strike-off/v1",
        struck.origin,
        f"chain {struck.chain}",
        f"entry {struck.seq} {struck.hash.hex()}",
        f"time {struck.time}",
        struck.reason,
    )
    return "".join(f"{line}\n" for line in lines)


def parse_strike_off(text: str) -> StrikeOff:
    """Read a note text; it is accepted only as ``format_strike_off`` writes it.

    Raises:
        EvidenceError: it is written in any other way.
    """
    # First read, then check the form by writing it again.
    try:
        head, origin, chain, entry, time, reason, rest = text.split("\n")
        (_, name), (_, seq, digest), (_, moment) = chain.split(" "), entry.split(" "), time.split(" ")
    except ValueError as error:
        raise EvidenceError("not the text of a strike-off") from error
    struck = StrikeOff(
        origin,
        name,
        parse_decimal(seq, "the entry"),
        hex_bytes({"the entry's hash": digest}, "the entry's hash"),
        parse_decimal(moment, "the time"),
        reason,
    )
    if struck.time > MAX_MILLIS:
        raise EvidenceError("the strike-off's time is out of range")
    if head != "eventlog/strike-off/v1" or rest or format_strike_off(struck) != text:
        raise EvidenceError("not the text of a strike-off")
    return struck


def sign_strike_off(struck: StrikeOff, signers: Sequence[Signer]) -> bytes:
    """Sign a strike-off by each signer under the registry's origin line; return the note's bytes."""
    return format_note(sign_note(format_strike_off(struck), struck.origin, signers))


def verify_strike_off(data: bytes, public_keys: Sequence[bytes]) -> StrikeOff:
    """Read a strike-off signed by one of these Ed25519 public keys under the origin line it names.

    Raises:
        EvidenceError: it is malformed, a signature is wrong, or none of the keys signed it.
    """
    note = parse_note(data)
    struck = parse_strike_off(note.text)
    verify_note(note, [VerifierKey(struck.origin, public) for public in public_keys])
    return struck
