"""`python -m local.strike_off CHAIN REASON`: ``admin.strike_off``; without MONGO_URI, on the development log."""

import sys
from collections.abc import Sequence

from admin.strike_off import STRIKE_OFF
from eventlog.console import run as run_command
from local import declaration


def main(arguments: Sequence[str]) -> int:
    """Return the exit code, as ``Declaration.main`` does."""
    return declaration.main(STRIKE_OFF, arguments)


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
