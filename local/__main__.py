"""`python -m local`: the whole system on this machine, until Ctrl-C."""

import sys

if __name__ == "__main__":
    try:
        from eventlog.console import run as run_command
        from local.main import main

        sys.exit(run_command(main))
    except KeyboardInterrupt:  # already while importing
        sys.exit(0)
