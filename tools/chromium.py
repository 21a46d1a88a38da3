"""The Chromium of this machine: a package of the system, never a download of some library."""

import shutil

from local.machine import LocalError

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Return the path of the executable.

    Raises:
        LocalError: there is none.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise LocalError("There is no Chromium: install it (Debian, Ubuntu: apt-get install chromium), then run again.")
    return found
