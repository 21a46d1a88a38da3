"""Callers as API Gateway's authorizers describe them, and requests as it hands them on."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

ARN = "arn:aws:sts::123456789012:assumed-role/orders-service/orders"
BY_IAM: dict[str, Any] = {"requestContext": {"authorizer": {"iam": {"userArn": ARN}}}}


def by_jwt(**claims: Any) -> dict[str, Any]:
    """What an event says of a caller whom the JWT authorizer let in."""
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}


def gateway_event(
    method: str,
    path: str,
    caller: Mapping[str, Any],
    *,
    params: Mapping[str, Any],
    headers: Mapping[str, str],
    content: bytes,
) -> dict[str, Any]:
    """A request as an HTTP API hands it to a function (payload version 2.0), and what it says of its caller."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.10", "userAgent": "test"}
    context = {"requestId": "r", "http": http, "domainName": "log.example.com", "stage": "$default"}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(params, doseq=True),
        "headers": {"host": "log.example.com", **headers},
        "requestContext": context | caller.get("requestContext", {}),
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }
