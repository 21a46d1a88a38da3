"""`python -m admin.restore CHAIN REASON`: declare that a chain was restored from a backup (docs/operations.md)."""

import sys

from admin.declaration import Declaration

RESTORE = Declaration(
    'usage: make restore CHAIN=main REASON="restored the backup of 3 May after a disk failure"',
    lambda wired, chain, reason: wired.restorer.restore(chain, reason),
)

if __name__ == "__main__":
    sys.exit(RESTORE.main(sys.argv[1:]))
