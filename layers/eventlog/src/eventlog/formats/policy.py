r"""Policies (C2SP tlog-policy): which logs, which witnesses, and how many of them must have cosigned a checkpoint.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> <all|any|k> <name>...      k of these witnesses and groups, each defined above
    quorum <name>                           exactly one; ``none`` asks for no witness

Lines end with a newline; items are separated by blanks and tabs. Empty lines and lines that begin with # are ignored.
Octets are 0x09, 0x0A, 0x20 to 0x7E and 0x80 to 0xFF; names are octets, whatever they mean as text.

Specified in docs/formats/policy.md.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from eventlog.formats.cosignature import parse_cosigner_vkey
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey, format_vkey, parse_vkey

MAX_POLICY = 1 << 20
MAX_OF_A_KIND = 64
NO_QUORUM = "none"
_BLANKS = re.compile(r"[ \t]+")
_NOT_ALLOWED = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints are accepted."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness under its name in the policy, which need not be its key's."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyGroup:
    """A group, which counts as one that has cosigned if ``needed`` of its members do."""

    name: str
    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy. Names are UTF-8 as far as they are; other octets are lone surrogates (PEP 383).

    ``groups`` are in the order of the file, so that a group's members are before it. ``quorum`` is the name of a
    witness or a group; None asks for no witness.
    """

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str | None


def format_policy(policy: Policy) -> bytes:
    """Write a policy, without comments; ``parse_policy`` gives it back."""
    lines = [
        *(("log", format_vkey(log.key), log.url) for log in policy.logs),
        *(("witness", each.name, format_vkey(each.key), each.url) for each in policy.witnesses),
        *(("group", group.name, str(group.needed), *group.members) for group in policy.groups),
        ("quorum", policy.quorum or NO_QUORUM),
    ]
    written = (" ".join(item for item in line if item is not None) for line in lines)
    return "".join(f"{line}\n" for line in written).encode("utf-8", "surrogateescape")


def parse_policy(data: bytes) -> Policy:
    """Read a policy file.

    Raises:
        EvidenceError: it breaks a rule of the format; the text names the line.
    """
    if len(data) > MAX_POLICY:
        raise EvidenceError(f"the policy is longer than {MAX_POLICY} bytes")
    *lines, last = data.split(b"\n")
    if last:
        raise EvidenceError(f"line {len(lines) + 1} of the policy does not end with a newline")
    reading = _Reading()
    for number, line in enumerate(lines, 1):
        try:
            _take_line(reading, line)
        except EvidenceError as error:
            raise EvidenceError(f"line {number} of the policy: {error}") from error
    if not reading.quorums:
        raise EvidenceError("the policy has no quorum line")
    quorum = reading.quorums[0]
    found = tuple(reading.logs), tuple(reading.witnesses), tuple(reading.groups)
    return Policy(*found, None if quorum == NO_QUORUM else quorum)


@dataclass(slots=True)
class _Reading:
    """What was read so far; ``names`` are those of witnesses and groups, ``used`` those that are in a group."""

    logs: list[PolicyLog] = field(default_factory=list)
    witnesses: list[PolicyWitness] = field(default_factory=list)
    groups: list[PolicyGroup] = field(default_factory=list)
    quorums: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def define(self, name: str) -> None:
        if name == NO_QUORUM:
            raise EvidenceError(f"the name {NO_QUORUM} is taken: it is the quorum without witnesses")
        if name in self.names:
            raise EvidenceError(f"the name {name} is there already")
        self.names.add(name)

    def known(self, name: str) -> None:
        if name not in self.names:
            raise EvidenceError(f"no witness or group {name} is defined above")


def _take_line(reading: _Reading, line: bytes) -> None:
    found = _NOT_ALLOWED.search(line)
    if found is not None:
        raise EvidenceError(f"the octet 0x{found[0].hex()} is not allowed")
    # Bytes that are not UTF-8 stay what they are, and no other character than these two separates items.
    content = line.decode("utf-8", "surrogateescape").strip(" \t")
    if not content or content.startswith("#"):
        return
    keyword, *items = _BLANKS.split(content)
    take = _KEYWORDS.get(keyword)
    if take is None:
        raise EvidenceError("a line begins with log, witness, group or quorum")
    take(reading, items)


def _take_log(reading: _Reading, items: list[str]) -> None:
    if not 1 <= len(items) <= 2:
        raise EvidenceError("a log is: log <vkey> [<url>]")
    key = parse_vkey(items[0])
    if key.public_key in {log.key.public_key for log in reading.logs}:
        raise EvidenceError("another log has the same public key")
    reading.logs.append(PolicyLog(key, *items[1:]))
    _check_count(reading.logs, "logs")


def _take_witness(reading: _Reading, items: list[str]) -> None:
    if not 2 <= len(items) <= 3:
        raise EvidenceError("a witness is: witness <name> <vkey> [<url>]")
    reading.define(items[0])
    key = parse_cosigner_vkey(items[1])
    if key.public_key in {witness.key.public_key for witness in reading.witnesses}:
        raise EvidenceError("another witness has the same public key")
    reading.witnesses.append(PolicyWitness(items[0], key, *items[2:]))
    _check_count(reading.witnesses, "witnesses")


def _take_group(reading: _Reading, items: list[str]) -> None:
    if len(items) < 3:
        raise EvidenceError("a group is: group <name> <all|any|k> <name>...")
    name, how_many, *members = items
    # The members first, so that a group can't be its own.
    for member in members:
        reading.known(member)
        if member in reading.used:
            raise EvidenceError(f"{member} is in a group already")
        reading.used.add(member)
    reading.define(name)
    needed = {"any": 1, "all": len(members)}.get(how_many)
    if needed is None:
        needed = int(how_many) if _NUMBER.fullmatch(how_many) else 0
    if not 1 <= needed <= len(members):
        raise EvidenceError(f"a group needs all, any, or a number from 1 to {len(members)} of its members")
    reading.groups.append(PolicyGroup(name, needed, tuple(members)))
    _check_count(reading.groups, "groups")


def _take_quorum(reading: _Reading, items: list[str]) -> None:
    if len(items) != 1:
        raise EvidenceError("a quorum is: quorum <name>")
    if reading.quorums:
        raise EvidenceError("there is a quorum already")
    if items[0] != NO_QUORUM:
        reading.known(items[0])
    reading.quorums.append(items[0])


def _check_count(found: list[PolicyLog] | list[PolicyWitness] | list[PolicyGroup], what: str) -> None:
    if len(found) > MAX_OF_A_KIND:
        raise EvidenceError(f"there are more than {MAX_OF_A_KIND} {what}")


_KEYWORDS: dict[str, Callable[[_Reading, list[str]], None]] = {
    "log": _take_log,
    "witness": _take_witness,
    "group": _take_group,
    "quorum": _take_quorum,
}
