"""Findings: where an audit has found that the log is not what it must be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "payload_mismatch",
    "payload_missing",
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
    "schema_mismatch",
    "altered",
    "index_mismatch",
    "erasure_invalid",
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


def mismatch(kind: FindingKind, seq: int, expected: bytes | None, actual: bytes, detail: str) -> Finding:
    """Make a finding about a stored hash that is another than it must be; None: what it must be is not known."""
    return Finding(kind, seq, expected.hex() if expected else None, actual.hex(), detail)
