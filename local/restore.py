"""`python -m local.restore CHAIN REASON`: ``admin.restore``; without MONGO_URI, on the development log."""

import sys
from collections.abc import Sequence

from admin.restore import RESTORE
from local import declaration


def main(arguments: Sequence[str]) -> int:
    """Return the exit code, as ``Declaration.main`` does."""
    return declaration.main(RESTORE, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
