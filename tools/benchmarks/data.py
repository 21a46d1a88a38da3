"""The events that benchmarks use. Sizes follow the sshd events of the Loghub collection (github.com/logpai/loghub)."""

import os
import time
from itertools import accumulate
from random import Random

from uuid_utils.compat import uuid7

from eventlog.formats.canonical import canonicalize
from eventlog.formats.event import Entry, make_entry

# Payload bytes at equal steps of the 2,000 sshd events' distribution, and how often each of their types occurs.
_SIZES = (75, 95, 102, 103, 105, 120, 148, 150, 156, 184)
_TYPES = {"auth_failure": 494, "disconnect": 413, "failed_password": 383, "check_pass": 135, "invalid_password": 135}
_TYPES |= {"invalid_user": 113, "userauth_request": 113, "reverse_mapping": 85, "error": 45, "closed": 34}
_NAMES, _WEIGHTS = list(_TYPES), list(accumulate(_TYPES.values()))
SOURCES = tuple(f"host-{number}/sshd" for number in range(8))
START = 1_700_000_000_000
"""The first event's time, milliseconds since 1970."""


def payloads(rng: Random, count: int, size: int | None = None) -> list[str]:
    """Make canonical texts of about ``size`` bytes, or of sizes drawn from the sshd events."""
    return [_payload(rng, size or rng.choice(_SIZES)) for _ in range(count)]


def entry(rng: Random, chain: str, payload: str, timestamp: int | None = None) -> Entry:
    """Make a new event for a chain, received now; its timestamp is now unless it is given."""
    now = time.time_ns() // 1_000_000
    return make_entry(
        chain=chain,
        event_id=str(uuid7()),
        event_type=f"sshd.{rng.choices(_NAMES, cum_weights=_WEIGHTS)[0]}",
        source_id=rng.choice(SOURCES),
        timestamp=now if timestamp is None else timestamp,
        received_at=now,
        principal="benchmark",
        payload=payload,
        salt=os.urandom(16),
    )


def _payload(rng: Random, size: int) -> str:
    message = rng.randbytes(size)[: max(1, size - 44) // 2 + 1].hex()[: max(1, size - 44)]
    fields = {"message": message, "pid": rng.randrange(20000, 30000), "template": f"E{rng.randrange(27)}"}
    return canonicalize(fields).decode()
