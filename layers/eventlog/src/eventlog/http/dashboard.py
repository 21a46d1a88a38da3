"""The dashboard's files. They are public, as they hold nothing of the log; their policy lets no other content in."""

from base64 import b64encode
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from eventlog.errors import NotFoundError
from eventlog.http.access import SCOPES
from eventlog.http.answers import json_response
from eventlog.http.joined import join_modules, join_sheets
from eventlog.http.query import WiredQuery
from eventlog.http.waiting import WaitingRoute
from eventlog.settings import Settings, listed

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
PAGE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
"""Of every page of ours, beside its Content-Security-Policy."""


_JOINED = {"main.js": join_modules, "style.css": join_sheets}
"""What the page itself asks for: served with all that it imports, which are some sixty files."""


class Files:
    """The files of a folder that may be served, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _found(self) -> dict[str, tuple[bytes, str, str]]:
        """Content, media type and ETag by path; nothing else is ever opened, whatever a request names."""
        found = {}
        for name, text in self._texts().items():
            content = text.encode()
            tag = f'"{b64encode(sha256(content).digest()[:18]).decode()}"'
            found[name] = content, _TYPES[PurePosixPath(name).suffix], tag
        return found

    def _texts(self) -> dict[str, str]:
        """What is served by path: each file as it is, but for those that are joined."""
        paths = [path for path in self._folder.rglob("*") if path.suffix in _TYPES]
        texts = {path.relative_to(self._folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        return texts | {name: join(texts, name) for name, join in _JOINED.items() if name in texts}

    def answer(self, request: Request, name: str, policy: str) -> Response:
        """The file, or 304 if the client has it.

        Raises:
            NotFoundError: There is no such file.
        """
        if name not in self._found:
            raise NotFoundError(f"There is nothing at {request.url.path}.")
        content, media_type, tag = self._found[name]
        headers = PAGE_HEADERS | {"ETag": tag, "Content-Security-Policy": policy}
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(content, 200, headers, media_type)


def policy(settings: Settings) -> str:
    """The Content-Security-Policy: the page may ask only this server, and the issuer that its viewers sign in with."""
    hosts = listed(settings.sign_in_hosts)
    if settings.sign_in_issuer:
        issuer = urlsplit(settings.sign_in_issuer)
        hosts.append(f"{issuer.scheme}://{issuer.netloc}")
    others = "".join(f" {host}" for host in hosts)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'{others}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


def configuration(settings: Settings) -> dict[str, Any]:
    """What the page has to know before anybody has signed in."""
    asked = (
        f"{settings.scope_prefix}{scope}" if scope in SCOPES else scope for scope in settings.sign_in_scope.split()
    )
    sign_in = {
        "issuer": settings.sign_in_issuer,
        "client_id": settings.sign_in_client,
        "scope": " ".join(asked),
    }
    return {"origin": settings.origin, "signIn": sign_in if settings.sign_in_issuer else None}


def dashboard(folder: Path) -> APIRouter:
    """The routes of the files in a folder; the page itself is ``index.html``, at ``/`` and nowhere else.

    It names its scripts and styles relative to that place, so that they are found under any base path.
    """
    files = Files(folder)
    router = APIRouter(
        include_in_schema=False, route_class=WaitingRoute
    )  # these are no part of the API: no prefix, no caller

    @router.get("/")
    def page(wired: WiredQuery, request: Request) -> Response:
        return files.answer(request, "index.html", policy(wired.settings))

    @router.get("/dashboard/config.json")
    def config(wired: WiredQuery) -> Response:
        return json_response(configuration(wired.settings), headers=PAGE_HEADERS)

    @router.get("/dashboard/{file:path}")
    def file(wired: WiredQuery, request: Request, file: str) -> Response:
        if file.endswith(".html"):
            raise NotFoundError(f"There is nothing at {request.url.path}.")
        return files.answer(request, file, policy(wired.settings))

    return router
