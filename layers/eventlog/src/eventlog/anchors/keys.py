"""The keys of what is kept of a chain: of its anchors, of their claims, and of its restores."""

import re

RESTORES = "restore-"
"""What the keys of restores begin with."""
BEHIND_NUMBERS = ":"
"""Behind every key that begins with a digit: of restores and whatever else is no anchor and no claim."""
_NOTE = re.compile(r"[0-9]{12}\.note")
_CLAIM = re.compile(r"[0-9]{12}(-[0-9]+)?\.claim")
_RESTORE = re.compile(rf"{RESTORES}[0-9]{{4}}\.note")


def note_key(number: int) -> str:
    """Return the key that an anchor is kept under."""
    return f"{number:012}.note"


def claim_key(number: int, epoch: int) -> str:
    """Return the key of the claim of an anchor: what will be signed as it.

    An epoch that ended by a restore may leave a claim behind, so each has names of its own.
    """
    return f"{number:012}.claim" if epoch == 1 else f"{number:012}-{epoch}.claim"


def restore_key(epoch: int) -> str:
    """Return the key of the restore that began an epoch."""
    return f"{RESTORES}{epoch:04}.note"


def is_note_key(key: str) -> bool:
    """Whether it is the key of an anchor."""
    return _NOTE.fullmatch(key) is not None


def is_claim_key(key: str) -> bool:
    """Whether it is the key of an anchor's claim."""
    return _CLAIM.fullmatch(key) is not None


def is_restore_key(key: str) -> bool:
    """Whether it is the key of a restore."""
    return _RESTORE.fullmatch(key) is not None


def number_of(key: str) -> int:
    """Return the number of the anchor that a key of an anchor or a claim names."""
    return int(key[:12])
