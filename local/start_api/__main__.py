"""`python -m local.start_api`, which `make start-api` calls."""

import sys

from local.start_api.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
