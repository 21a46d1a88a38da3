"""What API Gateway's authorizers say of a caller, and which chains a caller may see."""

from itertools import product
from typing import Any

import pytest

from eventlog.errors import NotFoundError
from eventlog.http.callers import Caller, from_gateway, parse_chains
from tests.support.callers import ARN, BY_IAM, by_jwt

CLAIM = "eventlog_chains"


def caller(**claims: Any) -> Caller:
    found = from_gateway(by_jwt(**{"sub": "s"} | claims), CLAIM)
    assert found is not None
    return found


def scopes(**claims: Any) -> set[str]:
    found = caller(**claims).scopes
    assert found is not None
    return set(found)


def test_a_jwt_names_its_subject_else_its_client() -> None:
    assert caller(sub="auditor-17", client_id="console").principal == "auditor-17"
    assert caller(sub="", client_id="console").principal == "console"


def test_a_scope_counts_without_the_prefix_of_its_issuer_and_not_at_all_without_it() -> None:
    claims = by_jwt(sub="s", scope="log/events:read events:write other/audits:write")
    found = from_gateway(claims, CLAIM, "log/")
    assert found is not None
    assert found.scopes == frozenset({"events:read"})


def test_iam_names_the_user_and_decides_about_routes_itself() -> None:
    assert from_gateway(BY_IAM, CLAIM) == Caller(ARN, scopes=None, chains=None)


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"jwt": None},
        {"jwt": {}},
        {"jwt": {"claims": {}}},
        {"jwt": {"claims": {"scope": "events:read"}}},
        {"jwt": {"claims": {"sub": "", "client_id": ""}}},
        {"jwt": {"claims": {"sub": 17}}},
        {"jwt": {"claims": {"scope": "events:read"}}, "iam": {"userArn": ARN}},
        {"iam": None},
        {"iam": {}},
        {"iam": {"userArn": ""}},
        {"iam": {"userArn": None}},
        {"lambda": {"sub": "s"}},
        {"claims": {"sub": "s"}},
    ],
)
def test_nobody_else_is_known(authorizer: Any) -> None:
    assert from_gateway({"requestContext": {"authorizer": authorizer}}, CLAIM) is None


@pytest.mark.parametrize("event", [{}, {"requestContext": None}, {"requestContext": {}}])
def test_an_event_without_an_authorizer_has_no_caller(event: dict[str, Any]) -> None:
    assert from_gateway(event, CLAIM) is None


@pytest.mark.parametrize("claim", ["events:read audits:write", "[events:read audits:write]"])
@pytest.mark.parametrize("name", ["scope", "scp"])
def test_scopes_come_as_words_or_as_the_text_that_api_gateway_makes_of_an_array(name: str, claim: str) -> None:
    assert scopes(**{name: claim}) == {"events:read", "audits:write"}


def test_scope_goes_before_scp() -> None:
    assert scopes(scope="events:read", scp="events:write") == {"events:read"}


@pytest.mark.parametrize("claims", [{}, {"scope": ""}, {"scope": "[]"}, {"scope": " "}, {"scope": ["events:read"]}])
def test_without_scopes_nothing_is_allowed(claims: dict[str, Any]) -> None:
    assert scopes(**claims) == set()


def test_a_caller_without_the_claim_is_limited_to_no_chain() -> None:
    assert caller().chains is None
    assert caller(other_chains="a").may("anything")


@pytest.mark.parametrize("claim", ["acme.*", "main acme.*", "main,acme.*", "main, acme.*", "[main acme.*]"])
def test_chains_are_names_and_prefixes(claim: str) -> None:
    limited = caller(**{CLAIM: claim})
    assert limited.may("acme.orders")
    assert limited.may("main") is ("main" in claim)
    for other in ("acme", "acmes", "xacme.orders", "mainx", "other", "", "eventlog.registry"):
        assert not limited.may(other)


@pytest.mark.parametrize(
    "claim",
    [
        "",
        " ",
        "[]",
        ",",
        "[",
        "Acme",
        "a b C",
        "**",
        "a*b",
        "*a",
        "a**",
        "a/b",
        ".a",
        "ä",
        "a" * 65,
        None,
        5,
        ["a"],
        ["*"],
        {},
        "main *",
        "* main",
        "* *",
        "*,*",
        "[acme *]",
        "[* acme]",
        "[acme.* *]",
        "[[*]]",
        "[[a b]]",
        "[*",
        "*]",
        '"*"',
        "'*'",
        '["*"]',
        '["a"]',
        "(*)",
        "{*}",
        "\uff0a",
        "\u2217",
        "*\u200b",
        "\u00a0*",
        "a\u00a0*",
        "a\t*",
        "a\n*",
        "*\n",
        "a\u2003b",
        "a;b",
        "a|*",
        "%2A",
        "<nil>",
        "a <nil>",
        "a []",
        True,
    ],
)
def test_a_claim_that_cannot_be_understood_allows_nothing(claim: Any) -> None:
    limited = caller(**{CLAIM: claim})
    assert limited.chains == ()
    assert not any(limited.may(chain) for chain in ("a", "b", "main", ""))


@pytest.mark.parametrize("claim", ["*", "[*]", " * ", "[*,]"])
def test_a_star_alone_is_no_limit(claim: str) -> None:
    assert caller(**{CLAIM: claim}).chains is None


def test_no_text_has_a_star_beside_a_name_and_no_limit() -> None:
    """Whatever two words are put together, and however API Gateway writes them."""
    words = ["*", "acme", "acme.*", "**", "", "[", "]", '"', "*\t", "\u00a0"]
    for first, second in product(words, repeat=2):
        for parted in (f"{first} {second}", f"{first},{second}", f"{first}{second}"):
            for claim in (parted, f"[{parted}]", f"[[{parted}]]"):
                limited = caller(**{CLAIM: claim})
                only_star = claim.strip("[] ,") == "*" and claim.count("[") <= 1
                assert (limited.chains is None) <= only_star, claim


def test_no_claim_widens_what_iam_decided() -> None:
    """A caller by IAM has no claims; what looks like them is not read."""
    event = {
        "requestContext": {"authorizer": {"iam": {"userArn": ARN, CLAIM: "a"}, CLAIM: "a", "claims": {CLAIM: "a"}}}
    }
    assert from_gateway(event, CLAIM) == Caller(ARN, scopes=None, chains=None)


def test_the_claim_has_the_name_that_was_set() -> None:
    event = by_jwt(sub="s", eventlog_chains="a", **{"https://example.com/chains": "b"})
    found = from_gateway(event, "https://example.com/chains")
    assert found is not None
    assert found.chains == ("b",)


@pytest.mark.parametrize(
    ("names", "sees"),
    [
        (["e*"], False),
        (["eventlog*"], False),
        (["eventlog.*"], True),
        (["eventlog.reg*"], True),
        (["eventlog.registry"], True),
        (["*"], True),
    ],
)
def test_the_registry_is_there_for_those_whom_its_own_name_is_given(names: list[str], sees: bool) -> None:
    assert Caller("p", chains=parse_chains(names)).may("eventlog.registry") is sees


def test_what_is_not_there_is_told_like_what_does_not_exist() -> None:
    limited = Caller("p", chains=("a",))
    limited.check("a")
    with pytest.raises(NotFoundError, match=r"^There is no chain b\.$"):
        limited.check("b")
