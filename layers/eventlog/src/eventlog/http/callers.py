"""Callers, and how API Gateway's authorizers name them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eventlog.chain_names import covers
from eventlog.errors import NotFoundError

_CHAIN_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\*?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which scopes and for which chains (chain_names.py); None stands for all of them."""

    principal: str
    scopes: frozenset[str] | None = None
    chains: tuple[str, ...] | None = None

    def may(self, chain: str) -> bool:
        """Whether this caller may see a chain and write to it."""
        return self.chains is None or covers(self.chains, chain)

    def check(self, chain: str) -> None:
        """Refuse a chain that the caller may not see, in the words used for one that does not exist.

        Raises:
            NotFoundError: The caller may not see it.
        """
        if not self.may(chain):
            raise NotFoundError(f"There is no chain {chain}.")


ANONYMOUS = Caller("anonymous")


def from_gateway(event: Mapping[str, Any], chains_claim: str, scope_prefix: str = "") -> Caller | None:
    """The caller that API Gateway's authorizer let in, by a JWT or by IAM; None if neither did.

    Args:
        event: A request as API Gateway gives it to a function (payload format 2.0).
        chains_claim: The name of the claim that lists the caller's chains.
        scope_prefix: What the issuer writes before our scopes; a scope without it is not one of ours.

    A caller by IAM has every scope and every chain: IAM's policies decide about each route before we are called.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    # A route has one authorizer. Whatever is missing or of another form means that nobody was let in.
    if claims := (authorizer.get("jwt") or {}).get("claims"):
        return _from_claims(claims, chains_claim, scope_prefix)
    arn = (authorizer.get("iam") or {}).get("userArn")
    return Caller(arn) if isinstance(arn, str) and arn else None


def parse_chains(names: Iterable[str]) -> tuple[str, ...] | None:
    """The chains that a list of names allows; None, for all of them, if it is ``*`` and nothing else.

    Raises:
        ValueError: There is no name at all, or one that no chain can have, or ``*`` beside others.
    """
    found = tuple(names)
    if found == ("*",):
        return None
    if not found or not all(map(_CHAIN_NAME.fullmatch, found)):
        raise ValueError("must be names of chains, at least one, of which one that ends in * is a prefix; or * alone")
    return found


def _from_claims(claims: Mapping[str, Any], chains_claim: str, scope_prefix: str) -> Caller | None:
    """The caller that a JWT names by ``sub``, or else by ``client_id``; None if it names nobody."""
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
    """The chains of a claim. One that can't be read allows none: a limit that is misspelt must not open everything."""
    try:
        return parse_chains(_words(claim))
    except ValueError:
        return ()


def _words(claim: Any) -> list[str]:
    """The words of a claim. API Gateway makes text of every claim: an array becomes ``[a b]``.

    Of a text with a blank it can't be told whether the token had one name there or two: ``["acme *"]`` and
    ``["acme", "*"]`` are both ``[acme *]``. So no word may mean more beside others than it says. Only the blank and the
    comma part words; any other white space is a part of one, and makes a name that no chain has.
    """
    if not isinstance(claim, str):
        return []
    inner = claim[1:-1] if claim.startswith("[") and claim.endswith("]") else claim
    return [word for word in inner.replace(",", " ").split(" ") if word]
