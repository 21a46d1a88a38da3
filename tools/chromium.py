"""The Chromium of this machine: a package of the system, never one that a library downloads."""

import shutil

from local.machine import LocalError

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str:
    """Path of the executable.

    Raises: LocalError
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise LocalError("There is no Chromium: install it (Debian, Ubuntu: apt-get install chromium), then run again.")
    return found
