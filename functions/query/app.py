"""GET events, chains and evidence; the dashboard."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from pathlib import Path

from eventlog.http import chains, events, evidence, export, health, pages, search_fields, standing, stats
from eventlog.http.app import create_app, lambda_handler
from eventlog.http.dashboard import dashboard

routers = (
    pages.router,
    events.router,
    chains.router,
    evidence.router,
    export.router,
    standing.router,
    stats.router,
    search_fields.router,
    health.router,
)
dashboard_router = dashboard(Path(__file__).parent / "dashboard")
app = create_app(*routers, dashboard_router, title="query")
handler = lambda_handler(app)
