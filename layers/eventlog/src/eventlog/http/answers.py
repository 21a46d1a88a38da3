"""Writes JSON answers."""

from typing import Any

import orjson
from fastapi import Response


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")
