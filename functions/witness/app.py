"""A witness of others' logs: POST /witness/add-checkpoint, and what it cosigned last."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Any

from eventlog.http import witness
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.wiring.witness import WitnessWiring

routers = (witness.router,)
app = create_app(*routers, title="witness")
_http = lambda_handler(app)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway, or know one more log, as an operator says.

    The operator sends ``{"source": "eventlog.add_log", "vkey": ...}``.
    """
    if event.get("source") == "eventlog.add_log":
        return witness.add_log(wiring_of(app, WitnessWiring), event["vkey"])
    return dict(_http(event, context))
