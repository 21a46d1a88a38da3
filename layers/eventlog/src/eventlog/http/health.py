"""``GET /api/v1/health``."""

from eventlog.http.access import Reader
from eventlog.http.problems import api_router, documented
from eventlog.http.query import WiredQuery

router = api_router("query")


@router.get("/health", responses=documented(422, 503))
def health(_: Reader, wired: WiredQuery) -> dict[str, str]:
    """Whether the log can reach its database."""
    wired.log.ping()
    return {"status": "ok"}
