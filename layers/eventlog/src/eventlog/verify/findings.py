"""What an audit finds: where the log is not what it must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "payload_mismatch",
    "content_mismatch",
    "hash_mismatch",
    "link_mismatch",
    "node_mismatch",
    "sequence_mismatch",
    "missing",
    "unexpected",
    "truncated",
    "rewritten",
    "checkpoint_missing",
    "checkpoint_invalid",
]
"""What can be wrong; docs name and explain each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One place where the log is not what it must be. ``seq`` is None where there is none."""

    kind: FindingKind
    seq: int | None
    expected: str | None
    actual: str | None
    detail: str


Emit = Callable[[Finding], None]
