"""The policy that says which witnesses a log asks: a file or a parameter of SSM (``ssm:NAME``), read now and then."""

import time
from collections.abc import Callable
from pathlib import Path

from eventlog.formats.cosigned_note import MAX_COSIGNER
from eventlog.formats.errors import EvidenceError
from eventlog.formats.policy import Policy, parse_policy
from eventlog.store.errors import StoreUnavailableError

READ_AGAIN_SECONDS = 300.0
"""So a change needs no deployment, and SSM is asked 12 times an hour."""
MAX_WITNESS_NAME = 100
SSM = "ssm:"
_NO_POLICY = "the policy of witnesses can't be read"


class PolicySource:
    """Reads a policy from ``place``; one that was read stays for ``READ_AGAIN_SECONDS``."""

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._read: tuple[float, Policy] | None = None

    def current(self) -> Policy:
        """Return the policy as it is, or was a little while ago.

        Raises:
            StoreUnavailableError: it can't be read, breaks a rule of the format, or names a witness in a way that can't
                be stored.
        """
        now = self._clock()
        if self._read is None or now - self._read[0] >= READ_AGAIN_SECONDS:
            self._read = now, self._load()
        return self._read[1]

    def _load(self) -> Policy:
        try:
            policy = parse_policy(_parameter(self._place) if self._place.startswith(SSM) else _file(self._place))
        except EvidenceError as error:
            raise StoreUnavailableError(f"{_NO_POLICY}: {error}") from error
        # A policy may hold any octets as a name. Here names stand in rows, reports and metrics.
        for witness in policy.witnesses:
            too_long = len(witness.name) > MAX_WITNESS_NAME or len(witness.key.name.encode()) > MAX_COSIGNER
            if too_long or not witness.name.isprintable():
                shown = ascii(witness.name)[:MAX_WITNESS_NAME]
                raise StoreUnavailableError(f"{_NO_POLICY}: a log can't ask a witness of the name {shown}")
        return policy


def _file(place: str) -> bytes:
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise StoreUnavailableError(f"{_NO_POLICY}: {error.strerror}: {place}") from error


def _parameter(place: str) -> bytes:
    from aws_lambda_powertools.utilities.parameters import get_parameter  # noqa: PLC0415  boto3: 460 ms
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    try:
        return str(get_parameter(place.removeprefix(SSM), decrypt=True, force_fetch=True)).encode()
    except GetParameterError as error:
        reason = type(error.__cause__ or error.__context__ or error).__name__
        raise StoreUnavailableError(f"{_NO_POLICY}: {reason}: {place}") from None
