"""Audits on demand and on schedule."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from collections.abc import Callable
from typing import Any

from eventlog.http import audits
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.wiring.audit import AuditWiring

routers = (audits.router,)
app = create_app(*routers, title="chain_audit")
_http = lambda_handler(app)
_SENT: dict[str, Callable[[AuditWiring, dict[str, Any]], dict[str, Any]]] = {
    "eventlog.share": lambda wired, _: audits.plan_shared(wired),
    "eventlog.conclude": lambda wired, event: audits.conclude_shared(wired, event.get("round", "")),
    "eventlog.restore": lambda wired, event: audits.restore(wired, event["chain"], event["reason"]),
    "eventlog.strike_off": lambda wired, event: audits.strike_off(wired, event["chain"], event["reason"]),
}
"""What is done for an event, by its source."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway, run the schedule's audits, or declare what an operator says.

    The schedule sends ``{"source": "eventlog.schedule", "mode": ...}``. What has several invocations share a full round
    sends ``{"source": "eventlog.share"}``, then each of the items that it is answered, ``{"segment": ...}``, and in the
    end ``{"source": "eventlog.conclude", "round": ...}``. An operator sends, after a chain was restored from a backup,
    ``{"source": "eventlog.restore", "chain": ..., "reason": ...}``; and if the registry names a chain that was never
    there, ``{"source": "eventlog.strike_off", "chain": ..., "reason": ...}``.
    """
    if "requestContext" in event:
        return dict(_http(event, context))
    wired = wiring_of(app, AuditWiring)
    if "segment" in event:
        return audits.do_shared(wired, event["segment"])
    if (answer := _SENT.get(event.get("source", ""))) is not None:
        return answer(wired, event)
    return audits.run_scheduled(wired, event.get("mode", "incremental"))
