"""`python -m admin.restore CHAIN REASON`: declare that a chain was restored from a backup (docs/operations.md)."""

import sys

from admin.declaration import Declaration
from eventlog.console import run as run_command

RESTORE = Declaration(
    'usage: make restore CHAIN=main REASON="restored the backup of 3 May after a disk failure"',
    lambda wired, chain, reason: wired.restorer.restore(chain, reason),
)

if __name__ == "__main__":
    sys.exit(run_command(RESTORE.main, sys.argv[1:]))
