"""Callers as API Gateway's authorizers describe them."""

from typing import Any

ARN = "arn:aws:sts::123456789012:assumed-role/orders-service/orders"
BY_IAM: dict[str, Any] = {"requestContext": {"authorizer": {"iam": {"userArn": ARN}}}}


def by_jwt(**claims: Any) -> dict[str, Any]:
    """What an event says of a caller whom the JWT authorizer let in."""
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}
