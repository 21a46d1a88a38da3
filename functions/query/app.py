"""GET events, chains and evidence; the dashboard."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from pathlib import Path

from eventlog.http import chains, events, evidence, export, health, pages, stats, stream
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.dashboard import dashboard

# The first route that matches answers: stream comes before events, where it would be an event's id.
routers = (
    pages.router,
    stream.router,
    events.router,
    chains.router,
    evidence.router,
    export.router,
    stats.router,
    health.router,
)
dashboard_router = dashboard(Path(__file__).parent / "dashboard")
app = create_app(*routers, dashboard_router, title="query")
handler = lambda_handler(app)
