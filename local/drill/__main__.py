"""``python -m local.drill``: see ``run.py``."""

import sys

from local.drill.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
