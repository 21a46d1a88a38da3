"""Puts off garbage collection while a function starts: imports make much and free little.

A handler imports this first. ``eventlog.http.app.lambda_handler``, which it calls last, ends it.
"""

import gc
import sys
from typing import Any, cast

gc.disable()

# PyMongo tries PyOpenSSL, which the layer does not have, and loads cryptography (20 ms) before it finds that out.
cast(dict[str, Any], sys.modules).setdefault("pymongo.pyopenssl_context", None)


def done() -> None:
    """Collect again, but never walk what the start has made: else the first request would pay for it."""
    gc.freeze()
    gc.enable()
