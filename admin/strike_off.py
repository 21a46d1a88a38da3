"""`python -m admin.strike_off CHAIN REASON`: declare that a name in the registry is no chain's (docs/operations.md)."""

import sys

from admin.declaration import Declaration
from eventlog.console import run as run_command

STRIKE_OFF = Declaration(
    'usage: make strike-off CHAIN=ghost REASON="put into the registry by a script on 3 May, never a chain"',
    lambda wired, chain, reason: wired.registrar.strike_off(chain, reason),
)

if __name__ == "__main__":
    sys.exit(run_command(STRIKE_OFF.main, sys.argv[1:]))
