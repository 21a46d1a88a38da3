"""Turns garbage collection off while a function starts: imports allocate much and free little.

A handler imports this first. ``eventlog.http.app.lambda_handler``, which it calls last, turns it on again.
"""

import gc
import sys
from typing import Any, cast

gc.disable()

# PyMongo tries PyOpenSSL, which the layer does not have, and loads cryptography (20 ms) before it finds that out.
cast(dict[str, Any], sys.modules).setdefault("pymongo.pyopenssl_context", None)


def done() -> None:
    """Turn collection on again, but exclude what the start has made, or the first request would pay for walking it."""
    gc.freeze()
    gc.enable()
