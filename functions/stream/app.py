"""GET events/stream, apart from all other queries: each viewer of a quiet chain keeps an execution busy."""

import eventlog.start  # noqa: F401  first: it puts off garbage collection while the rest is imported

# isort: split
from eventlog.http import stream
from eventlog.http.app import create_app, lambda_handler

routers = (stream.router,)
app = create_app(*routers, title="stream")
handler = lambda_handler(app)
