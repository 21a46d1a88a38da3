"""Where the connection string comes from: a setting, a Secrets Manager secret or an SSM parameter.

It is never shown."""

import time

from aws_lambda_powertools import Logger

from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreUnavailableError

_READ_AGAIN_SECONDS = 1.0


class ConnectionString:
    """The URI of MongoDB, read when it is needed first and again when MongoDB refuses it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read_at = float("-inf")

    @property
    def setting(self) -> str:
        """Which setting says it."""
        return "MONGO_URI" if self._settings.mongo_uri else "MONGO_URI_SECRET"

    def get(self) -> str:
        """The URI.

        Raises:
            ConfigurationError: no setting says it.
            StoreUnavailableError: the secret can't be read.
        """
        if self._settings.mongo_uri:
            return self._settings.mongo_uri
        if not self._settings.mongo_uri_secret:
            raise ConfigurationError("set MONGO_URI or MONGO_URI_SECRET")
        return _read(self._settings.mongo_uri_secret)

    def get_again(self) -> str | None:
        """The URI as it is now; None where it can't be another, was read again within a second or can't be read."""
        if self._settings.mongo_uri or time.monotonic() - self._read_at < _READ_AGAIN_SECONDS:
            return None
        self._read_at = time.monotonic()
        try:
            return self.get()
        except StoreUnavailableError as error:
            Logger(service="eventlog").warning("the secret can't be read again", extra={"error": str(error)})
            return None


def _read(arn: str) -> str:
    """Read a secret or, by its ARN, a parameter: always afresh, as it is kept here.

    Without blanks around it: a line break at the end of a file would become a part of the database's name.
    """
    from aws_lambda_powertools.utilities.parameters import get_parameter, get_secret  # noqa: PLC0415  imports boto3
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    try:
        if ":ssm:" in arn:
            return str(get_parameter(arn, decrypt=True, force_fetch=True)).strip()
        return str(get_secret(arn, force_fetch=True)).strip()
    except GetParameterError as error:
        reason = type(error.__cause__ or error.__context__ or error).__name__
        raise StoreUnavailableError(f"MONGO_URI_SECRET can't be read: {reason}") from None
