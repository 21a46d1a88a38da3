"""Callers, and what API Gateway's authorizers say of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eventlog.chain_names import covers
from eventlog.errors import NotFoundError

_CHAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\*?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which scopes, on which chains (chain_names.py); None: all of them."""

    principal: str
    scopes: frozenset[str] | None = None
    chains: tuple[str, ...] | None = None

    def may(self, chain: str) -> bool:
        """Whether a chain is there for this caller."""
        return self.chains is None or covers(self.chains, chain)

    def check(self, chain: str) -> None:
        """Answer for the chain of others as for one that does not exist.

        Raises:
            NotFoundError
        """
        if not self.may(chain):
            raise NotFoundError(f"There is no chain {chain}.")


ANONYMOUS = Caller("anonymous")


def from_gateway(event: Mapping[str, Any], chains_claim: str, scope_prefix: str = "") -> Caller | None:
    """The caller that a JWT authorizer or IAM let in; None: neither did.

    API Gateway makes text of every claim, ``[a b]`` of an array. A scope counts without the prefix that the issuer puts
    before ours; without the prefix it is no scope of ours. IAM's policies decide about each route themselves.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    if claims := (authorizer.get("jwt") or {}).get("claims"):
        return _from_claims(claims, chains_claim, scope_prefix)
    arn = (authorizer.get("iam") or {}).get("userArn")
    return Caller(arn) if isinstance(arn, str) and arn else None


def parse_chains(names: Iterable[str]) -> tuple[str, ...] | None:
    """The chains that a list of names allows; ``*`` alone is all of them.

    Raises:
        ValueError: no name at all, or one that no chain can have.
    """
    found = tuple(names)
    if not found or not all(name == "*" or _CHAIN_NAME.fullmatch(name) for name in found):
        raise ValueError("must be names of chains, at least one; a name that ends in * is a prefix")
    return None if "*" in found else found


def _from_claims(claims: Mapping[str, Any], chains_claim: str, scope_prefix: str) -> Caller | None:
    principal = claims.get("sub") or claims.get("client_id")
    if not isinstance(principal, str) or not principal:
        return None
    scopes = frozenset(
        scope.removeprefix(scope_prefix)
        for scope in _words(claims.get("scope") or claims.get("scp"))
        if scope.startswith(scope_prefix)
    )
    return Caller(principal, scopes, _chains(claims[chains_claim]) if chains_claim in claims else None)


def _chains(claim: Any) -> tuple[str, ...] | None:
    """A claim that can't be understood allows nothing: one that is meant to limit must never open everything."""
    try:
        return parse_chains(_words(claim))
    except ValueError:
        return ()


def _words(claim: Any) -> list[str]:
    if not isinstance(claim, str):
        return []
    inner = claim[1:-1] if claim.startswith("[") and claim.endswith("]") else claim
    return inner.replace(",", " ").split()
