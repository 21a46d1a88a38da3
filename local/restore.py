"""`python -m local.restore CHAIN REASON`: ``admin.restore``; without MONGO_URI, on the development log."""

import sys
from collections.abc import Sequence

from admin.restore import RESTORE
from eventlog.console import run as run_command
from local import declaration


def main(arguments: Sequence[str]) -> int:
    """Return the exit code, as ``Declaration.main`` does."""
    return declaration.main(RESTORE, arguments)


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
