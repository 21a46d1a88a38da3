"""`python -m local.restore CHAIN REASON`: ``admin.restore``; without MONGO_URI, on the development log."""

import sys
from collections.abc import Sequence

from admin import restore
from local.anchors import open_anchors
from local.database import open_database
from local.main import LocalSettings


def run(chain: str, reason: str) -> int:
    """Declare the restore on the database of the settings, or on the embedded one, which runs meanwhile.

    Raises:
        CommandError: the database or the signing key can't be used.
    """
    given = LocalSettings().mongo_uri
    with open_database(given) as (uri, place):
        return restore.declare(open_anchors(uri, embedded=given is None).settings, place, chain, reason)


def main(arguments: Sequence[str]) -> int:
    """Return the exit code, as ``admin.restore.main`` does."""
    return restore.main(arguments, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
