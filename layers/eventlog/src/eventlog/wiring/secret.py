"""Where the connection string comes from: a setting, a Secrets Manager secret or an SSM parameter.

No log line and no error ever shows it.
"""

import time
from collections.abc import Callable

from aws_lambda_powertools import Logger

from eventlog.settings import ConfigurationError, Settings
from eventlog.store.errors import StoreUnavailableError

_READ_AGAIN_SECONDS = 1.0


class ConnectionString:
    """The URI of MongoDB. ``settings`` is asked when the URI is first needed."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._read_at = float("-inf")

    @property
    def setting(self) -> str:
        """The name of the setting that it comes from."""
        return "MONGO_URI" if self._settings().mongo_uri else "MONGO_URI_SECRET"

    def get(self) -> str:
        """Read the URI from where the settings say it is.

        Raises:
            ConfigurationError: Neither setting is set.
            StoreUnavailableError: The secret can't be read.
        """
        settings = self._settings()
        if settings.mongo_uri:
            return settings.mongo_uri
        if not settings.mongo_uri_secret:
            raise ConfigurationError("set MONGO_URI or MONGO_URI_SECRET")
        return _read(settings.mongo_uri_secret)

    def get_again(self) -> str | None:
        """Read the URI again; None if it can't have changed, was read within the last second, or can't be read.

        The second bounds what a wrong password costs: each refused request would otherwise ask AWS for the secret.
        """
        if self._settings().mongo_uri or time.monotonic() - self._read_at < _READ_AGAIN_SECONDS:
            return None
        self._read_at = time.monotonic()
        try:
            return self.get()
        except StoreUnavailableError as error:
            Logger(service="eventlog").warning("the secret can't be read again", extra={"error": str(error)})
            return None


def _read(arn: str) -> str:
    """Read the secret or the SSM parameter with this ARN, past the library's own cache.

    Blanks around it are cut off: a line break from the end of a file would become a part of the database's name.
    """
    from aws_lambda_powertools.utilities.parameters import get_parameter, get_secret  # noqa: PLC0415  boto3: 460 ms
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError  # noqa: PLC0415

    try:
        # The ARN itself says which service has it, so there is no second setting for it.
        if ":ssm:" in arn:
            return str(get_parameter(arn, decrypt=True, force_fetch=True)).strip()
        return str(get_secret(arn, force_fetch=True)).strip()
    except GetParameterError as error:
        reason = type(error.__cause__ or error.__context__ or error).__name__
        raise StoreUnavailableError(f"MONGO_URI_SECRET can't be read: {reason}") from None
