"""Policies against every rule of C2SP tlog-policy, and what their quorums mean."""

import itertools
from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import format_vkey
from eventlog.formats.policy import (
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
from tests.support.policies import EXAMPLE, READABLE, REFUSED_POLICIES, WITNESSES
from tests.support.witnesses import ed25519, ml_dsa


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


@each("text", READABLE)
def test_what_the_specification_allows_is_read(text: bytes) -> None:
    policy = parse_policy(text)
    assert parse_policy(format_policy(policy)) == policy


@each("data, why", REFUSED_POLICIES)
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
