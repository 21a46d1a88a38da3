"""``python -m local.demo [FILE]``: see ``run.py``."""

import sys

from local.demo.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
