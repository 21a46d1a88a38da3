"""The Chromium of this machine: a package of the system, never a download of some library."""

import shutil

from local.machine import LocalError

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The shell first: it is the same browser without windows of its own, which cost more than the pages do."""


def find_chromium() -> str:
    """Return the path of the executable.

    Raises:
        LocalError: there is none.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise LocalError("There is no Chromium: install it (Debian, Ubuntu: apt-get install chromium), then run again.")
    return found
