"""Bearer tokens in place of JSON Web Tokens: each stands for the claims that API Gateway's JWT authorizer passes on."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from admin.token import add_token
from eventlog.http.tokens import TokenEntry, read_tokens
from eventlog.settings import ConfigurationError
from local.machine import LocalError

CLAIM = "eventlog_chains"  # the default of Settings.chains_claim
EVERYONE: tuple[tuple[str, list[str], list[str] | None], ...] = (
    ("writer", ["events:write"], None),
    ("reader", ["events:read"], None),
    ("auditor", ["events:read", "audits:write"], None),
    ("eraser", ["events:read", "events:erase", "holds:write"], None),
    ("acme", ["events:read", "events:write", "audits:write"], ["acme", "acme.*"]),
)


class UnknownTokenError(Exception):
    """The token was never issued (401)."""


class JwtAuthorizer:
    """Knows the claims of each token, by the token's hash."""

    def __init__(self, entries: Sequence[TokenEntry]) -> None:
        self._claims = {entry.sha256: claims(entry) for entry in entries}

    def authorize(self, authorization: str | None) -> dict[str, Any] | None:
        """Return the event's ``authorizer``, or None without a token: then the function decides.

        Raises:
            UnknownTokenError: it is not a bearer token of the file.
        """
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        found = self._claims.get(sha256(token.strip().encode()).hexdigest())
        if scheme.lower() != "bearer" or found is None:
            raise UnknownTokenError
        return {"jwt": {"claims": found, "scopes": None}}


def claims(entry: TokenEntry) -> dict[str, str]:
    """Return the claims of a token, all as text: API Gateway writes an array as ``[a b]``."""
    found = {"sub": entry.principal, "scope": " ".join(entry.scopes)}
    return found if entry.chains is None else found | {CLAIM: f"[{' '.join(entry.chains)}]"}


def issue(path: Path) -> dict[str, str]:
    """Issue new tokens, whose hashes go into the file; return them by name."""
    return {name: add_token(path, name, scopes, chains) for name, scopes, chains in EVERYONE}


def open_authorizer(path: Path) -> JwtAuthorizer:
    """Open the authorizer for a file of tokens, which has the same form as EVENTLOG_TOKENS.

    Raises:
        LocalError: the file can't be read or is malformed.
    """
    try:
        return JwtAuthorizer(read_tokens(path).entries)
    except ConfigurationError as error:
        raise LocalError(f"{error}.") from error
