"""``python -m local.federation``: see ``run.py``."""

import sys

from eventlog.console import run as run_command
from local.federation.run import main

if __name__ == "__main__":
    sys.exit(run_command(main))
