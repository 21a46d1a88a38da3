"""Audits on demand and on schedule."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from typing import Any

from eventlog.http import audits
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.wired import wiring_of
from eventlog.wiring.audit import AuditWiring

routers = (audits.router,)
app = create_app(*routers, title="chain_audit")
_http = lambda_handler(app)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request of API Gateway, run the schedule's audits, or declare what an operator says.

    The schedule sends ``{"source": "eventlog.schedule", "mode": ...}``. What has several invocations share a full round
    sends ``{"source": "eventlog.share"}``, then each of the items that it is answered, ``{"segment": ...}``. An
    operator sends, after a chain was restored from a backup, ``{"source": "eventlog.restore", "chain": ...,
    "reason": ...}``; and if the registry names a chain that was never there, ``{"source": "eventlog.strike_off",
    "chain": ..., "reason": ...}``.
    """
    if "requestContext" in event:
        return dict(_http(event, context))
    wired = wiring_of(app, AuditWiring)
    if "segment" in event:
        return audits.do_shared(wired, event["segment"])
    if event.get("source") == "eventlog.share":
        return audits.plan_shared(wired)
    if event.get("source") == "eventlog.restore":
        return audits.restore(wired, event["chain"], event["reason"])
    if event.get("source") == "eventlog.strike_off":
        return audits.strike_off(wired, event["chain"], event["reason"])
    return audits.run_scheduled(wired, event.get("mode", "incremental"))
