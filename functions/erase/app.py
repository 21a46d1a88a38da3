"""Erasures and holds: ordering them on demand, carrying erasures out on schedule."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Any

from eventlog.http import governance
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.wiring.erase import EraseWiring

SECONDS = 50.0
"""What one invocation of the schedule has; the next, a minute after it began, goes on."""
routers = (governance.router,)
app = create_app(*routers, title="erase")
_http = lambda_handler(app)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway; for the schedule, carry out what was ordered."""
    if "requestContext" in event:
        return dict(_http(event, context))
    return governance.carry_out(wiring_of(app, EraseWiring), SECONDS)
