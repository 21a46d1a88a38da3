"""What an answer to a push proves: that the push is over, or nothing.

Over means that no server will still apply it: it is applied, or it never will be. The answer often comes from a router
(mongos), which only passes a push on. When a router stops waiting, for its time limit, its own end or an operator, the
shard may still hold the push, and apply it minutes later. So only what a router can't say of itself proves anything;
everything else, codes that nobody knows included, leaves the push in flight.

That costs no more than time: who must know looks the events up, and is told 503 if they don't appear.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pymongo.errors import AutoReconnect, OperationFailure


class ErrorAnswer(NamedTuple):
    """An error code of the server: its name there, whether it proves that the push is over, and why."""

    name: str
    over: bool
    why: str


_NODE = "only a data-bearing node says so, of an operation that it did not begin or has ended; a router rewrites it"
_ROUTER = "a router says so when it stops waiting; the shard was asked, and goes on"
_CONTACT = "a router lost, or never had, a shard's answer; what was sent may still arrive"

ANSWERS = {
    10058: ErrorAnswer("LegacyNotPrimary", True, _NODE),
    10107: ErrorAnswer("NotWritablePrimary", True, _NODE),
    13435: ErrorAnswer("NotPrimaryNoSecondaryOk", True, _NODE),
    13436: ErrorAnswer("NotPrimaryOrSecondary", True, _NODE),
    189: ErrorAnswer("PrimarySteppedDown", True, _NODE),
    11602: ErrorAnswer("InterruptedDueToReplStateChange", True, _NODE),
    50: ErrorAnswer("MaxTimeMSExpired", False, _ROUTER),
    91: ErrorAnswer("ShutdownInProgress", False, _ROUTER),
    262: ErrorAnswer("ExceededTimeLimit", False, _ROUTER),
    11600: ErrorAnswer("InterruptedAtShutdown", False, _ROUTER),
    11601: ErrorAnswer("Interrupted", False, _ROUTER),
    6: ErrorAnswer("HostUnreachable", False, _CONTACT + "; a shard's answers about its primary are rewritten to this"),
    7: ErrorAnswer("HostNotFound", False, _CONTACT),
    89: ErrorAnswer("NetworkTimeout", False, _CONTACT),
    133: ErrorAnswer("FailedToSatisfyReadPreference", False, _CONTACT),
    202: ErrorAnswer("NetworkInterfaceExceededTimeLimit", False, _CONTACT),
    9001: ErrorAnswer("SocketException", False, _CONTACT),
}
"""The codes that are told apart; see https://github.com/mongodb/mongo, src/mongo/base/error_codes.yml.

Those that prove nothing are here for their reasons alone: they count as any code that is not in the table. A push whose
answer has ``ok: 1`` and a ``writeConcernError`` is applied (or refused by its condition), and so is over as well.
"""


def is_over(error: AutoReconnect | OperationFailure) -> bool:
    """Whether an error of the driver proves that the write is over: a server said so. A lost connection never does."""
    # NotPrimaryError is an AutoReconnect, and has the server's whole answer as its details.
    code = error.details.get("code") if isinstance(error.details, Mapping) else None
    return code in ANSWERS and ANSWERS[code].over
