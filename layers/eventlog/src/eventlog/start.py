"""Puts off garbage collection while a function starts: imports make much and free little.

A handler imports this first. ``eventlog.http.app.lambda_handler``, which it calls last, ends it.
"""

import gc

gc.disable()


def done() -> None:
    """Collect again, but never walk what the start has made: else the first request would pay for it."""
    gc.freeze()
    gc.enable()
