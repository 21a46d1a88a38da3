"""Typed answers about chains, audits and proofs; their form is checked here, not whether they are true."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventlog.formats.checkpoint import Checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.members import chain_name, hex_bytes, text, whole
from eventlog_client.errors import UnexpectedAnswerError


@dataclass(frozen=True, slots=True)
class ChainInfo:
    """A chain and its head as the log shows them now; none of it is signed. ``fields`` is the whole answer."""

    chain: str
    origin: str
    size: int
    hash: bytes
    root: bytes
    fields: Mapping[str, Any]

    @property
    def keys(self) -> list[str]:
        """The vkeys that the log says it signs with. Don't pin them from here: get them from the operator."""
        found = self.fields.get("keys")
        return [key for key in found if isinstance(key, str)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class DamagedChain:
    """A chain of which the log itself says that what it has stored of it is damaged: have it audited."""

    chain: str


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with its note; ``verified`` if a pinned key signed it."""

    checkpoint: Checkpoint
    note: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Consistency:
    """A verified proof that the tree of size ``second`` extends that of size ``first``.

    It does not say whether the roots are signed.
    """

    first: int
    second: int
    first_root: bytes
    second_root: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """An audit's report. ``fields`` has all of it, with the findings."""

    audit_id: str
    chain: str
    status: str
    events_checked: int
    findings: list[dict[str, Any]]
    fields: Mapping[str, Any]


def parse_chain(fields: Any) -> ChainInfo:
    """Read a chain's head.

    Raises:
        UnexpectedAnswerError: a member is missing or malformed.
    """
    # ``fields`` may be any JSON value; without ``get`` it is not an object: an AttributeError, caught below.
    try:
        return ChainInfo(
            chain=chain_name(fields),
            origin=text(fields, "origin"),
            size=whole(fields, "size"),
            hash=hex_bytes(fields, "hash"),
            root=hex_bytes(fields, "root"),
            fields=fields,
        )
    except (EvidenceError, AttributeError) as error:
        raise UnexpectedAnswerError(f"the answer is not a chain: {error}") from error


def parse_listed(fields: Any) -> ChainInfo | DamagedChain:
    """Read a chain of a list.

    Raises:
        UnexpectedAnswerError: a member is missing or malformed.
    """
    if not isinstance(fields, dict) or fields.get("damaged") is not True:
        return parse_chain(fields)
    try:
        return DamagedChain(chain_name(fields))
    except EvidenceError as error:
        raise UnexpectedAnswerError(f"the answer is not a chain: {error}") from error


def parse_report(fields: Any) -> AuditReport:
    """Read an audit's report.

    Raises:
        UnexpectedAnswerError: a member is missing or malformed.
    """
    # As above, and the findings must be objects, as the command shows their members in a table.
    try:
        findings = fields.get("findings", [])
        if not isinstance(findings, list) or not all(isinstance(finding, dict) for finding in findings):
            raise EvidenceError("findings must be a list of objects")
        return AuditReport(
            audit_id=text(fields, "audit_id"),
            chain=chain_name(fields),
            status=text(fields, "status"),
            events_checked=whole(fields, "events_checked"),
            findings=findings,
            fields=fields,
        )
    except (EvidenceError, AttributeError) as error:
        raise UnexpectedAnswerError(f"the answer is not an audit's report: {error}") from error
