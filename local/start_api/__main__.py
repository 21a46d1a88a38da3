"""`python -m local.start_api`, which `make start-api` calls."""

import sys

from eventlog.console import run as run_command
from local.start_api.main import main

if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
