"""A checkpoint as it is served: the anchor's bytes, with the witnesses' lines below them, and back.

Lines are sorted by name and key id, so that everybody serves the same bytes of the same lines.
"""

from collections.abc import Iterable

from eventlog.formats.cosignature import cosigned_at
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import (
    MAX_SIGNATURES,
    Note,
    Signature,
    VerifierKey,
    format_note,
    format_signature,
    parse_note,
    parse_signature,
)

MAX_LINES = 32
"""Cosignatures that are served with a checkpoint."""
MAX_COSIGNER = 255
"""Bytes of a witness's name; also what ML-DSA-44's message has room for."""
MAX_LINE = 4000
"""More than the bytes of a line with such a name."""


def format_line(cosignature: Signature) -> str:
    """Write a cosignature as it is kept and sent: its line, without the newline."""
    return format_signature(cosignature)[:-1]


def parse_line(line: str) -> Signature:
    """Read a line that ``format_line`` has written; whose it is, is not verified.

    Raises:
        EvidenceError: it is no signature line, or can be no cosignature.
    """
    found = parse_signature(line)
    if cosigned_at(found.value) is None or len(found.name.encode()) > MAX_COSIGNER:
        raise EvidenceError("the line is no cosignature, or of a name that is too long")
    return found


def with_lines(note: bytes, lines: Iterable[str]) -> bytes:
    """Add cosignatures to a signed checkpoint; lines that are none, or whose key has a line already, are left out.

    Raises:
        EvidenceError: it is no note.
    """
    # A line that is none, or a second one of a key, would make verifiers refuse the whole note, the log's own line
    # with it. So damage here costs that line and nothing else.
    parsed = parse_note(note)
    there = {(each.name, each.key_id) for each in parsed.signatures}
    found: dict[tuple[str, bytes], Signature] = {}
    for line in lines:
        try:
            each = parse_line(line)
        except EvidenceError:
            continue
        if (each.name, each.key_id) not in there:
            found.setdefault((each.name, each.key_id), each)
    most = min(MAX_LINES, MAX_SIGNATURES - len(parsed.signatures))
    added = [found[key] for key in sorted(found)][:most]
    return format_note(Note(parsed.text, (*parsed.signatures, *added))) if added else note


def signed_by(note: bytes, keys: Iterable[VerifierKey]) -> bytes:
    """Leave the lines of these keys alone: what witnesses are sent has no seal and no cosignature of others.

    Raises:
        EvidenceError: it is no note.
    """
    parsed, known = parse_note(note), {(key.name, key.key_id) for key in keys}
    own = tuple(line for line in parsed.signatures if (line.name, line.key_id) in known)
    return format_note(Note(parsed.text, own))
