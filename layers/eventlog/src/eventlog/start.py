"""Makes the start of a function cheaper: nothing is collected, and two packages that it would load in vain are hidden.

It also has freed memory kept for the next answer. A handler imports this first. ``eventlog.http.app.lambda_handler``,
which it calls last, ends it with ``done``.
"""

import gc
import sys
from typing import Any, cast

# Imports make many objects and free few, so that collecting garbage meanwhile finds next to nothing.
gc.disable()

# For each of these there is an ImportError that the importing package is prepared for.
_modules = cast(dict[str, Any], sys.modules)
# PyMongo tries PyOpenSSL, which the layer does not have, and loads cryptography (20 ms) before it finds that out.
_modules.setdefault("pymongo.pyopenssl_context", None)
# FastAPI loads pydantic.v1 (20 ms) for the first route, to refuse models of that kind. We have none.
_modules.setdefault("pydantic.v1", None)

# glibc returns what is free at the end of its heap to Linux, if that is more than twice the largest block that it has
# freed so far (mallopt(3)), and so a long answer took the same memory anew for each request: 710 page faults for 1,000
# events, a sixth of their CPU. This block is freed at once and never touched.
bytes(8 << 20)


def done() -> None:
    """Collect garbage again, but never what the start has made: the first request would pay for that."""
    if _modules.get("pydantic.v1", sys) is None:
        del _modules["pydantic.v1"]  # whoever needs it later may have it: SAM does, in the process of our tests
    gc.freeze()
    gc.enable()
