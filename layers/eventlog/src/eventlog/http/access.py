"""Who may call a route: ``caller: Reader`` in its signature is all that a route needs.

Behind API Gateway the authorizer says who calls; on a server without it, bearer tokens do (EVENTLOG_TOKENS). An unknown
caller is refused, unless the app was made for this machine alone.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from eventlog.http.callers import ANONYMOUS, Caller, from_gateway
from eventlog.http.query_strings import check_query_string
from eventlog.settings import Settings

if TYPE_CHECKING:
    from eventlog.http.tokens import Tokens

EVENTS_READ, EVENTS_WRITE, AUDITS_WRITE = "events:read", "events:write", "audits:write"
EVENTS_ERASE, HOLDS_WRITE = "events:erase", "holds:write"
SCOPES = (EVENTS_READ, EVENTS_WRITE, AUDITS_WRITE, EVENTS_ERASE, HOLDS_WRITE)
"""The last two are in no default: whoever is to have them is given them by name."""


class AccessError(Exception):
    """Base: the caller may not do this.

    ``challenge`` is the answer's ``WWW-Authenticate`` header (RFC 6750, section 3).
    """

    challenge: str


class UnknownCallerError(AccessError):
    """The caller is unknown (401)."""

    def __init__(self, *, tried: bool) -> None:
        super().__init__("Sign in: this needs a bearer token, or AWS Signature Version 4 where the log asks for that.")
        self.challenge = 'Bearer error="invalid_token"' if tried else "Bearer"


class ScopeError(AccessError):
    """The caller lacks a scope (403)."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"This needs the scope {scope}.")
        self.challenge = f'Bearer error="insufficient_scope", scope="{scope}"'


class Callers:
    """Finds out who calls an app.

    ``settings`` is asked on the first request. ``anonymous``: without API Gateway and tokens anybody may do everything.
    """

    def __init__(self, settings: Callable[[], Settings], *, anonymous: bool) -> None:
        self._settings = settings
        self._anonymous = anonymous

    def find(self, request: Request) -> Caller | None:
        """The caller of a request, None if unknown.

        API Gateway comes first: behind it only its authorizer counts, whatever tokens the request or the settings have.
        """
        event = request.scope.get("aws.event")
        if event is not None:
            settings = self._settings()
            return from_gateway(event, settings.chains_claim, settings.scope_prefix)
        if self.tokens is not None:
            return self.tokens.find(request.headers.get("authorization", ""))
        return ANONYMOUS if self._anonymous else None

    @cached_property
    def tokens(self) -> "Tokens | None":
        """The tokens of EVENTLOG_TOKENS; None if it is not set.

        Raises:
            ConfigurationError: The file can't be used.
        """
        path = self._settings().tokens
        if not path:
            return None
        from eventlog.http.tokens import read_tokens  # noqa: PLC0415  3 ms, and no function has a file of tokens

        return read_tokens(path)


class _Access(SecurityBase):
    """A route's dependency, and its entry in the OpenAPI document.

    It is a coroutine, since FastAPI would send a plain function to a thread for every request.
    """

    def __init__(self) -> None:
        self.scheme_name = "caller"
        self.model = HTTPBearer(
            description="A JWT of the deployment's issuer, or a token of the server. A deployment without an issuer "
            "wants requests signed with AWS Signature Version 4 instead."
        )

    async def __call__(self, request: Request, needed: SecurityScopes) -> Caller:
        callers: Callers = request.app.state.callers
        caller = callers.find(request)
        if caller is None:
            raise UnknownCallerError(tried="authorization" in request.headers)
        for scope in needed.scopes:
            if caller.scopes is not None and scope not in caller.scopes:
                raise ScopeError(scope)
        check_query_string(request)  # here, as every route has a caller, and nobody else is told what is wrong
        return caller


_access = _Access()
Reader = Annotated[Caller, Security(_access, scopes=[EVENTS_READ])]
Writer = Annotated[Caller, Security(_access, scopes=[EVENTS_WRITE])]
AuditStarter = Annotated[Caller, Security(_access, scopes=[AUDITS_WRITE])]
Eraser = Annotated[Caller, Security(_access, scopes=[EVENTS_ERASE])]
Holder = Annotated[Caller, Security(_access, scopes=[HOLDS_WRITE])]
