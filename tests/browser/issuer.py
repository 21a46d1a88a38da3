"""An OpenID Connect issuer: discovery, an authorisation page that asks nobody, tokens for codes with PKCE."""

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse
from starlette.middleware.cors import CORSMiddleware

CLIENT = "dashboard"


@dataclass
class Issuer:
    """Lets everybody in with ``token``; ``answer`` may be changed by a test, as may be what it says of itself."""

    token: str
    url: str = ""
    name: str | None = None
    answer: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self, home: str) -> Any:
        """The issuer as a browser meets it; only pages from ``home`` may read its answers."""
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self.discovery)
        app.get("/authorize")(self.authorize)
        app.post("/token")(self.exchange)
        app.add_middleware(CORSMiddleware, allow_origins=[home])
        return app

    def discovery(self) -> dict[str, str]:
        return {
            "issuer": self.name or self.url,
            "authorization_endpoint": f"{self.url}/authorize?prompt=none",
            "token_endpoint": f"{self.url}/token",
        }

    def authorize(self, request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = token_urlsafe()
        self._codes[code] = asked
        given = {"code": code, "state": asked["state"]} | self.answer
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(given)}")

    async def exchange(self, request: Request) -> dict[str, str]:
        """RFC 7636, section 4.6: the verifier must be the one that the challenge was made of; a code works once."""
        sent = dict(parse_qsl((await request.body()).decode()))
        asked = self._codes.pop(sent["code"], {})
        digest = sha256(sent["code_verifier"].encode()).digest()
        good = {
            "response_type": "code",
            "client_id": sent["client_id"],
            "redirect_uri": sent["redirect_uri"],
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if sent["grant_type"] != "authorization_code" or not good.items() <= asked.items():
            raise HTTPException(400, "invalid_grant")
        return {"access_token": self.token, "token_type": "Bearer"}
