"""POST events."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from eventlog.http import ingest
from eventlog.http.app import create_app, lambda_handler

routers = (ingest.router,)
app = create_app(*routers, title="ingest")
handler = lambda_handler(app)
