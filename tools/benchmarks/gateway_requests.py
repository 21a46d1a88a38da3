"""Requests of the benchmarks, as API Gateway hands them to a function."""

import json
from random import Random
from urllib.parse import urlencode

from eventlog.formats.times import format_time
from tools.benchmarks import data


def gateway_requests(method: str) -> list[bytes]:
    """Make 64 requests of a method, always the same: events to log, or pages to find."""
    rng = Random(method)
    return [_post(rng) if method == "POST" else _get(rng) for _ in range(64)]


def _post(rng: Random) -> bytes:
    entry = data.entry(rng, "main", data.payloads(rng, 1)[0])
    body = {
        "event_type": entry.event_type,
        "timestamp": format_time(entry.timestamp),
        "source_id": entry.source_id,
        "payload": json.loads(entry.payload),
    }
    return gateway_event("POST", "/api/v1/events", {}, json.dumps(body))


def _get(rng: Random) -> bytes:
    types = ("sshd.auth_failure", "sshd.disconnect", "sshd.failed_password")
    return gateway_event(
        "GET", "/api/v1/events", {"event_type": rng.choice(types), "source_id": rng.choice(data.SOURCES)}
    )


def gateway_event(method: str, path: str, query: dict[str, str], body: str | None = None) -> bytes:
    """Make a request as API Gateway's HTTP API hands it over (payload format 2.0), of a caller who may do all this."""
    claims = {"sub": "benchmark", "scope": "events:read events:write audits:write"}
    context = {
        "authorizer": {"jwt": {"claims": claims, "scopes": None}},
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.10"},
        "requestId": "benchmark",
        "stage": "$default",
    }
    headers = {"host": "api.example.com", "content-type": "application/json", "user-agent": "benchmark"}
    event = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    return json.dumps(event | ({} if body is None else {"body": body})).encode()
