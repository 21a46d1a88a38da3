"""Policies against every rule of C2SP tlog-policy, and what their quorums mean."""

import itertools
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.formats.policy import (
    MAX_POLICY,
    Policy,
    PolicyGroup,
    PolicyLog,
    PolicyWitness,
    format_policy,
    parse_policy,
)
from eventlog.formats.quorum import Strength, missing, scattered, strength, unused
from tests.support.anchoring import Key
from tests.support.each import each
from tests.support.witnesses import ed25519, ml_dsa

LOG = format_vkey(Key(1).verifier("log.example"))
OTHER_NAME = format_vkey(VerifierKey("other.example/main", Key(1).public_key))
KEYS = [format_vkey(ed25519(f"w{n}", n + 1).key) for n in range(8)]
PQ = format_vkey(ml_dsa("pq", 1).key)
WITNESSES = "".join(f"witness w{n} {key}\n" for n, key in enumerate(KEYS))
EXAMPLE = f"""
# the example of the specification
log {LOG}

witness X1 {KEYS[0]}
witness X2 {KEYS[1]} https://x2.example/
\twitness  X3 \t{KEYS[2]}\t
group X-witnesses 2 X1 X2 X3
  # another organisation: é
witness Y1 {KEYS[3]}
witness Y2 {PQ}
group Y-witnesses any Y1 Y2

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
log {format_vkey(Key(2).verifier("log.example"))} https://log.example/
""".encode()


def test_the_specification_s_example_is_read_and_written_in_one_form() -> None:
    policy = parse_policy(EXAMPLE)
    assert [log.url for log in policy.logs] == [None, "https://log.example/"]
    assert [each.name for each in policy.witnesses] == ["X1", "X2", "X3", "Y1", "Y2"]
    assert policy.groups == (
        PolicyGroup("X-witnesses", 2, ("X1", "X2", "X3")),
        PolicyGroup("Y-witnesses", 1, ("Y1", "Y2")),
        PolicyGroup("X-and-Y", 2, ("X-witnesses", "Y-witnesses")),
    )
    written = format_policy(policy)
    assert parse_policy(written) == policy
    assert format_policy(parse_policy(written)) == written


@each(
    "text",
    [
        b"quorum none\n",
        b" \t\n#\n\t# x\n quorum\tnone \n\n",
        f"witness w {PQ} http://w.example\nquorum w\n".encode(),
        f"{WITNESSES}group g 8 {' '.join(f'w{n}' for n in range(8))}\nquorum g\n".encode(),
        f"witness 2 {KEYS[0]}\ngroup any any 2\nquorum any\n".encode(),
        b"#" + bytes([*range(0x20, 0x7F), 9, *range(0x80, 0x100)]) + b"\nquorum none\n",
        f"witness K {KEYS[0]}\nwitness \u212a {KEYS[1]}\nquorum \u212a\n".encode(),
        b"witness \xff\xa0 " + KEYS[0].encode() + b"\nquorum \xff\xa0\n",
        f"witness a\u00a0b {KEYS[0]}\nquorum a\u00a0b\n".encode(),
        f"witness a\u2028b {KEYS[0]}\nquorum a\u2028b\n".encode(),
        f"witness a\u0085b {KEYS[0]}\nquorum a\u0085b\n".encode(),
    ],
)
def test_what_the_specification_allows_is_read(text: bytes) -> None:
    policy = parse_policy(text)
    assert parse_policy(format_policy(policy)) == policy


def lines(*more: str) -> bytes:
    return (WITNESSES + "".join(f"{line}\n" for line in more)).encode()


@each(
    "data, why",
    [
        (b"", "no quorum line"),
        (lines(), "no quorum line"),
        (b"quorum none", "line 1 of the policy does not end with a newline"),
        (b"quorum none\r\n", "line 1 of the policy: the octet 0x0d"),
        (b"#\x00\nquorum none\n", "0x00"),
        (b"#\x7f\nquorum none\n", "0x7f"),
        (b"#\x0b\nquorum none\n", "0x0b"),
        (lines("quorum w0", "quorum w0"), "line 10 of the policy: there is a quorum already"),
        (lines("quorum none", "quorum w0"), "a quorum already"),
        (lines("quorum"), "a quorum is:"),
        (lines("quorum w0 w1"), "a quorum is:"),
        (lines("quorum w9"), "no witness or group w9 is defined above"),
        (b"quorum w0\n" + lines(), "no witness or group w0"),
        (lines("Quorum w0"), "a line begins with"),
        (lines("w0"), "a line begins with"),
        ("\u00a0quorum none\n".encode(), "a line begins with"),
        (lines("quorum w0 # comment"), "a quorum is:"),
        (lines("group g 1 w9", "quorum g"), "no witness or group w9"),
        (lines("group g 1 h", "group h 1 w0", "quorum g"), "no witness or group h"),
        (lines("group g 1 g", "quorum g"), "no witness or group g"),
        (lines("group g 1 none", "quorum g"), "no witness or group none"),
        (lines("group g 1 w0 w0", "quorum g"), "w0 is in a group already"),
        (lines("group g 1 w0", "group h 1 w0", "quorum g"), "w0 is in a group already"),
        (lines("group g 1", "quorum g"), "a group is:"),
        (lines("group g all", "quorum g"), "a group is:"),
        (lines("group g 0 w0", "quorum g"), "from 1 to 1"),
        (lines("group g 2 w0", "quorum g"), "from 1 to 1"),
        (lines("group g 01 w0", "quorum g"), "from 1 to 1"),
        (lines("group g +1 w0", "quorum g"), "from 1 to 1"),
        (lines("group g \u0661 w0", "quorum g"), "from 1 to 1"),
        (lines("group g -1 w0", "quorum g"), "from 1 to 1"),
        (lines("group g ALL w0", "quorum g"), "from 1 to 1"),
        (lines("group g 9999999999999999999999 w0", "quorum g"), "from 1 to 1"),
        (lines("group w1 1 w0", "quorum w1"), "the name w1 is there already"),
        (lines("group none 1 w0", "quorum none"), "the name none is taken"),
        (f"witness none {KEYS[0]}\nquorum none\n".encode(), "the name none is taken"),
        (f"witness w {KEYS[0]}\nwitness w {KEYS[1]}\nquorum w\n".encode(), "the name w is there already"),
        (f"witness w {KEYS[0]}\nwitness v {KEYS[0]}\nquorum w\n".encode(), "the same public key"),
        (
            f"witness w {KEYS[0]}\nwitness v {format_vkey(ed25519('v', 1).key)}\nquorum w\n".encode(),
            "line 2 of the policy: another witness has the same public key",
        ),
        (f"log {LOG}\nlog {LOG}\nquorum none\n".encode(), "another log has the same public key"),
        (f"log {LOG}\nlog {OTHER_NAME}\nquorum none\n".encode(), "another log has the same public key"),
        (f"log {KEYS[0]}\nquorum none\n".encode(), "of type 0x01"),
        (f"witness w {LOG}\nquorum w\n".encode(), "not a witness's key"),
        (b"log\nquorum none\n", "a log is:"),
        (f"log {LOG} u v\nquorum none\n".encode(), "a log is:"),
        (f"witness {KEYS[0]}\nquorum none\n".encode(), "a witness is:"),
        (f"witness w {KEYS[0]} u v\nquorum none\n".encode(), "a witness is:"),
        (b"witness w x\nquorum none\n", "verifier key"),
        (
            "".join(f"witness w{n} {format_vkey(ed25519('w', n + 1).key)}\n" for n in range(65)).encode(),
            "line 65 of the policy: there are more than 64 witnesses",
        ),
        (b"#" * MAX_POLICY + b"\nquorum none\n", "longer than"),
    ],
)
def test_what_breaks_a_rule_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=why.replace("+", r"\+")):
        parse_policy(data)


def tree(text: str, witnesses: int = 8) -> Policy:
    kept = "".join(WITNESSES.splitlines(keepends=True)[:witnesses])
    return parse_policy((kept + text).encode())


@each(
    "text, cosigned, lack",
    [
        ("quorum none\n", "", None),
        ("quorum w0\n", "w0 w1", None),
        ("quorum w0\n", "w1", "quorum w0: no line of w0"),
        ("group g 2 w0 w1 w2\nquorum g\n", "w0 w2", None),
        ("group g 2 w0 w1 w2\nquorum g\n", "w1", "quorum g: 1 of 2; no line of w0, w2"),
        ("group g all w0 w1 w2\nquorum g\n", "w0 w1 w3", "quorum g: 2 of 3; no line of w2"),
        ("group g any w0 w1\nquorum g\n", "", "quorum g: 0 of 1; no line of w0, w1"),
        ("group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup g all a b\nquorum g\n", "w1 w2 w4", None),
        (
            "group acme any w0 w1\ngroup sigsum-org any w2 w3\ngroup orgs 2 acme sigsum-org\nquorum orgs\n",
            "w1",
            "quorum orgs: 1 of 2; no line of sigsum-org",
        ),
        (
            "group a any w0 w1\ngroup b 2 w2 w3 w4\ngroup g all a b w5\nquorum g\n",
            "w0 w2",
            "quorum g: 1 of 3; no line of w5; (b: 1 of 2; no line of w3, w4)",
        ),
    ],
)
def test_what_a_quorum_lacks_is_named(text: str, cosigned: str, lack: str | None) -> None:
    assert missing(tree(text), cosigned.split()) == lack


@each("k, n, malicious, unreachable", [(2, 3, 0, 1), (3, 4, 1, 1), (4, 5, 2, 1), (5, 7, 2, 2), (1, 1, 0, 0)])
def test_k_of_n_withstand_what_they_do(k: int, n: int, malicious: int, unreachable: int) -> None:
    text = f"group g {k} {' '.join(f'w{i}' for i in range(n))}\nquorum g\n"
    assert strength(tree(text)) == Strength(malicious, unreachable)


def test_any_of_two_honest_witnesses_can_be_split() -> None:
    """The log shows one history to the one and another to the other; so no group above it withstands that either."""
    organisations = "group a any w0 w1\ngroup b any w2 w3\ngroup c any w4 w5\ngroup g 2 a b c\nquorum g\n"
    assert strength(tree("group g any w0 w1\nquorum g\n")) == Strength(None, 1)
    assert strength(tree(organisations)) == Strength(None, 3)
    assert strength(tree("quorum none\n")) is None


def test_two_keys_of_one_witness_are_one_witness() -> None:
    def both(n: int) -> str:
        vkeys = [format_vkey(key.key) for key in (ed25519(f"o{n}", 10 + n), ml_dsa(f"o{n}", n))]
        return f"witness e{n} {vkeys[0]}\nwitness p{n} {vkeys[1]}\n"

    three = "".join(map(both, range(3)))
    grouped = "".join(f"group o{n} any e{n} p{n}\n" for n in range(3))
    good = parse_policy(f"{three}{grouped}group g 2 o0 o1 o2\nquorum g\n".encode())
    assert (strength(good), scattered(good), unused(good)) == (Strength(0, 1), [], [])
    loose = parse_policy(f"{three}group g 4 e0 p0 e1 p1 e2\nquorum g\n".encode())
    assert (scattered(loose), unused(loose)) == (["o0", "o1", "o2"], ["p2"])


def test_what_the_quorum_does_not_lead_to_is_named() -> None:
    policy = tree("group a any w0 w1\ngroup b any w2\ngroup g all a w3\nquorum g\n", 5)
    assert unused(policy) == ["w2", "w4", "b"]
    assert unused(tree("quorum w1\n", 2)) == ["w0"]


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy over at most six witnesses, with up to four groups."""
    witnesses = draw(st.integers(1, 6))
    free = [f"w{n}" for n in range(witnesses)]
    groups: list[PolicyGroup] = []
    for number in range(draw(st.integers(1, 4))):
        members = draw(st.lists(st.sampled_from(free), min_size=1, max_size=len(free), unique=True))
        free = [*(name for name in free if name not in members), f"g{number}"]
        groups.append(PolicyGroup(f"g{number}", draw(st.integers(1, len(members))), tuple(members)))
    keys = tuple(PolicyWitness(f"w{n}", ed25519(f"w{n}", n + 1).key) for n in range(witnesses))
    return Policy((PolicyLog(Key(1).verifier("log.example")),), keys, tuple(groups), groups[-1].name)


def subsets(names: Collection[str]) -> list[frozenset[str]]:
    return [frozenset(found) for n in range(len(names) + 1) for found in itertools.combinations(sorted(names), n)]


@settings(max_examples=40, deadline=None)
@given(policies())
def test_the_strength_is_what_trying_every_set_of_witnesses_gives(policy: Policy) -> None:
    """For two histories: the fewest witnesses that two quorums share. For absence: the fewest that leave no quorum."""
    every = frozenset(witness.name for witness in policy.witnesses)
    quorums = [found for found in subsets(every) if missing(policy, found) is None]
    shared = min(len(one & other) for one in quorums for other in quorums)
    away = min(len(found) for found in subsets(every) if missing(policy, every - found) is not None)
    assert strength(policy) == Strength(shared - 1 if shared else None, away - 1)
    assert parse_policy(format_policy(policy)) == policy
