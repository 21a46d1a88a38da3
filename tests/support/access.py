"""Every route with what it needs, and two ways to it: through API Gateway's events, and over HTTP with tokens."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import orjson
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.app import create_app, lambda_handler
from eventlog.settings import Settings
from functions.chain_audit.app import routers as audit_routers
from functions.erase.app import routers as erase_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from functions.stream.app import routers as stream_routers
from tests.infrastructure.invoke import Context
from tests.support.callers import by_jwt, gateway_event

STREAM = "/api/v1/events/stream"
"""A route of its own kind: on a server its answer has no end (tests/integration/test_stream_access.py)."""
ROUTERS = (*ingest_routers, *stream_routers, *query_routers, *audit_routers, *erase_routers)
ROUTES = sorted(
    f"{method} {route.path}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.path != STREAM
    for method in route.methods or ()
)
EVENT = {"event_type": "t", "timestamp": "2026-11-23T12:00:00Z", "source_id": "s", "payload": {}}
API = "/api/v1"
NO_CHAIN = "There is no chain {chain}."


@dataclass(frozen=True)
class Sample:
    """A request that a route answers well about a chain that has event ``e``, and what it answers if there is none."""

    path: str
    scope: str = "events:read"
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    missing: str | None = NO_CHAIN
    """The detail of the 404; None: it answers well all the same, without anything of the chain."""

    def about(self, chain: str, audit: str = "") -> "Sample":
        """The request about one chain."""

        def filled(value: Any) -> Any:
            if isinstance(value, dict):
                return {name: filled(item) for name, item in value.items()}
            if isinstance(value, list):
                return [filled(item) for item in value]
            return value.replace("{chain}", chain).replace("{audit}", audit) if isinstance(value, str) else value

        return Sample(filled(self.path), self.scope, filled(self.params), filled(self.json), filled(self.missing))


_IN = {"chain": "{chain}"}
_YEARS = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}
_CHAIN = f"{API}/chains/{{chain}}"
_ORDER: dict[str, Any] = {"reason": "request 118"}
REQUEST = "01936f00-0000-7000-8000-000000000001"
HELD = "01936f00-0000-7000-8000-000000000002"
"""By which an erasure and a hold were asked for, in each chain that there is."""
SAMPLES = {
    "POST /api/v1/events": Sample(f"{API}/events", "events:write", json=EVENT | _IN),
    "POST /api/v1/events/batch": Sample(f"{API}/events/batch", "events:write", json=[EVENT | _IN] * 2),
    "GET /api/v1/events": Sample(f"{API}/events", params=_IN, missing=None),
    "GET /api/v1/events/{event_id}": Sample(
        f"{API}/events/e", params=_IN, missing="There is no event e in chain {chain}."
    ),
    "GET /api/v1/events/{event_id}/receipt": Sample(
        f"{API}/events/e/receipt",
        params=_IN,
        missing="There is no event e in chain {chain} (yet): if it was accepted with 202, it may be on its way.",
    ),
    "GET /api/v1/events/{event_id}/proof": Sample(f"{API}/events/e/proof", params=_IN),
    "GET /api/v1/chains": Sample(f"{API}/chains", missing=None),
    "GET /api/v1/chains/{chain}": Sample(_CHAIN),
    "GET /api/v1/chains/{chain}/consistency": Sample(f"{_CHAIN}/consistency", params={"first": 1, "second": 2}),
    "GET /api/v1/chains/{chain}/head": Sample(f"{_CHAIN}/head"),
    "GET /api/v1/chains/{chain}/root": Sample(f"{_CHAIN}/root"),
    "GET /api/v1/chains/{chain}/checkpoint": Sample(
        f"{_CHAIN}/checkpoint", missing="There is no checkpoint of chain {chain}."
    ),
    "GET /api/v1/chains/{chain}/tlog/checkpoint": Sample(
        f"{_CHAIN}/tlog/checkpoint", missing="There is no checkpoint of chain {chain}."
    ),
    "GET /api/v1/chains/{chain}/tlog/tile/{level}/{tile:path}": Sample(f"{_CHAIN}/tlog/tile/0/000.p/2"),
    "GET /api/v1/export": Sample(f"{API}/export", params=_IN),
    "GET /api/v1/standing": Sample(f"{API}/standing", missing=None),
    "GET /api/v1/stats": Sample(f"{API}/stats", params=_IN | _YEARS, missing=None),
    "GET /api/v1/search-fields": Sample(f"{API}/search-fields", params=_IN, missing=None),
    "GET /api/v1/suggestions": Sample(f"{API}/suggestions", params=_IN | {"field": "event_type"}, missing=None),
    "GET /api/v1/health": Sample(f"{API}/health", missing=None),
    "POST /api/v1/audits": Sample(f"{API}/audits", "audits:write", json=_IN),
    "GET /api/v1/audits": Sample(f"{API}/audits", params=_IN, missing=None),
    "POST /api/v1/chains/{chain}/erasures": Sample(
        f"{_CHAIN}/erasures", "events:erase", json=_ORDER | {"events": ["e"], "basis": "gdpr-art-17"}
    ),
    "GET /api/v1/chains/{chain}/erasures": Sample(f"{_CHAIN}/erasures"),
    "GET /api/v1/chains/{chain}/erasures/{erasure_id}": Sample(f"{_CHAIN}/erasures/{REQUEST}"),
    "POST /api/v1/chains/{chain}/erasures/{erasure_id}/approve": Sample(
        f"{_CHAIN}/erasures/{REQUEST}/approve", "events:erase"
    ),
    "POST /api/v1/chains/{chain}/holds": Sample(
        f"{_CHAIN}/holds", "holds:write", json=_ORDER | {"from_seq": 1000, "to_seq": 2000}
    ),
    "GET /api/v1/chains/{chain}/holds": Sample(f"{_CHAIN}/holds"),
    "POST /api/v1/chains/{chain}/holds/{hold_id}/release": Sample(
        f"{_CHAIN}/holds/{HELD}/release", "holds:write", json=_ORDER
    ),
    "GET /api/v1/audits/{audit_id}": Sample(f"{API}/audits/{{audit}}", missing="There is no audit {audit}."),
}
ORDERED = {"POST /api/v1/chains/{chain}/erasures": REQUEST, "POST /api/v1/chains/{chain}/holds": HELD}
"""What makes that erasure and that hold."""
SCOPES = frozenset(sample.scope for sample in SAMPLES.values())


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """The status and words of a problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        document = self.json()
        assert document["status"] == self.status
        return self.status, document["detail"]


@dataclass(frozen=True)
class Grant:
    """What a caller was given; ``chains`` None: no limit."""

    scopes: frozenset[str] = SCOPES
    chains: tuple[str, ...] | None = None
    name: str = "someone"

    def token(self) -> str:
        """A token that is this grant's alone."""
        return sha256(repr((sorted(self.scopes), self.chains, self.name)).encode()).hexdigest()


class Way(Protocol):
    """A way to the API for a caller, or for None without anything that tells who calls."""

    def call(self, method: str, sample: Sample, grant: Grant | None, **headers: str) -> Answer: ...


class ThroughGateway:
    """The routers' handlers, called as Lambda functions."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(*ROUTERS, title=f"gateway-{uuid4().hex}", settings=settings)
        self._handler: Any = lambda_handler(self.app)

    def call(self, method: str, sample: Sample, grant: Grant | None, **headers: str) -> Answer:
        caller: dict[str, Any] = {}
        if grant is not None:
            limit = {} if grant.chains is None else {"eventlog_chains": f"[{' '.join(grant.chains)}]"}
            caller = by_jwt(sub=grant.name, scope=" ".join(sorted(grant.scopes)), **limit)
        return self.call_as(method, sample, caller, **headers)

    def call_as(self, method: str, sample: Sample, caller: Mapping[str, Any], **headers: str) -> Answer:
        """A call by whomever an authorizer describes."""
        content, kind = body_of(sample)
        event = gateway_event(
            method, sample.path, caller, params=sample.params, headers=kind | headers, content=content
        )
        answer = self._handler(event, Context(1))
        body = b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
        return Answer(answer["statusCode"], answer["headers"], body)


class WithTokens:
    """A server that demands tokens, whose file has one for each grant there is a use for."""

    def __init__(self, settings: Settings, path: Path, grants: list[Grant]) -> None:
        entries = [
            {
                "sha256": sha256(grant.token().encode()).hexdigest(),
                "principal": grant.name,
                "scopes": sorted(grant.scopes),
                "chains": grant.chains,
            }
            for grant in grants
        ]
        path.write_bytes(orjson.dumps({"tokens": entries}))
        path.chmod(0o600)
        guarded = settings.model_copy(update={"tokens": str(path)})
        self.app = create_app(*ROUTERS, title=f"tokens-{uuid4().hex}", settings=guarded)
        self._client = TestClient(self.app, raise_server_exceptions=False)

    def call(self, method: str, sample: Sample, grant: Grant | None, **headers: str) -> Answer:
        content, kind = body_of(sample)
        signed = {} if grant is None else {"authorization": f"Bearer {grant.token()}"}
        answer = self._client.request(
            method, sample.path, params=sample.params, content=content, headers=kind | signed | headers
        )
        return Answer(answer.status_code, answer.headers, answer.content)


def body_of(sample: Sample) -> tuple[bytes, dict[str, str]]:
    """The body and its media type."""
    if sample.json is None:
        return b"", {}
    return orjson.dumps(sample.json), {"content-type": "application/json"}


def order_some(way: Way, chain: str, grant: Grant) -> None:
    """Have an erasure and a hold ordered in a chain that has event ``e``."""
    for order, request in ORDERED.items():
        asked = SAMPLES[order].about(chain)
        answer = way.call("POST", Sample(asked.path, json=asked.json | {"request_id": request}), grant)
        assert answer.status in {201, 202}


def governing(settings: Settings, folder: Path) -> Settings:
    """The settings of a log in which erasures and holds can be ordered."""
    keys = {name: folder / f"{name}.pem" for name in ("signing", "governance")}
    for path in keys.values():
        create_key_file(path)
    vkey = VerifierKey(settings.origin, KeyFile(keys["governance"]).public_key, KIND)
    return settings.model_copy(
        update={
            "anchors": str(folder / "anchors"),
            "signing_keys": str(keys["signing"]),
            "governance_keys": format_vkey(vkey),
            "governance_signing_key": str(keys["governance"]),
        }
    )
