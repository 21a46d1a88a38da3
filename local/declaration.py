"""`python -m local.declaration WHAT CHAIN REASON`: ``admin.declaration``; without MONGO_URI, on the development log."""

import sys
from collections.abc import Sequence

from admin import declaration
from admin.declaration import Declaration
from eventlog.console import run as run_command
from local.anchors import open_anchors
from local.database import open_database
from local.main import LocalSettings


def main(arguments: Sequence[str]) -> int:
    """Return the exit code, as ``admin.declaration`` does; the embedded database runs meanwhile."""
    return declaration.main(arguments, _run)


def _run(asked: Declaration, chain: str, reason: str) -> int:
    given = LocalSettings().mongo_uri
    with open_database(given) as (uri, place):
        settings = open_anchors(uri, embedded=given is None).settings
        return asked.declare(settings, place, chain, reason)


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
