"""What operators declare, on the database of the settings or, without MONGO_URI, on the development log."""

from collections.abc import Sequence

from admin.declaration import Declaration
from local.anchors import open_anchors
from local.database import open_database
from local.main import LocalSettings


def main(declaration: Declaration, arguments: Sequence[str]) -> int:
    """Return the exit code, as ``Declaration.main`` does; the embedded database runs meanwhile."""

    def run(chain: str, reason: str) -> int:
        given = LocalSettings().mongo_uri
        with open_database(given) as (uri, place):
            settings = open_anchors(uri, embedded=given is None).settings
            return declaration.declare(settings, place, chain, reason)

    return declaration.main(arguments, run)
