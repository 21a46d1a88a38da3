"""What the commands of this package share: their settings, their error, and what they say of one."""

import sys
from collections.abc import Callable

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo.errors import PyMongoError

from eventlog.store.errors import StoreError


class CommandError(Exception):
    """A command can't do what it was asked to do; the text is one sentence for the user."""


class CommandSettings(BaseSettings):
    """What commands read from the environment or ``.env``; an empty variable counts as one that is not set."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    mongo_uri: str | None = None
    allow_plaintext_mongodb: bool = Field(default=False, validation_alias="EVENTLOG_ALLOW_PLAINTEXT_MONGODB")
    tokens: str | None = Field(default=None, validation_alias="EVENTLOG_TOKENS")


def explain(error: ValidationError) -> str:
    """Return the first bad setting in one sentence, without its value, which may be secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])).upper()} (environment or .env): {first['msg']}."


def reported(work: Callable[[], int]) -> int:
    """Do a command's work; return its exit code, or in place of an error 1, or 2 if it is of a setting.

    The error is one line on standard error; of MongoDB's only the kind, as its text may repeat parts of the URI.
    """
    try:
        return work()
    except ValidationError as error:
        print(explain(error), file=sys.stderr)
        return 2
    except (CommandError, StoreError) as error:
        print(error, file=sys.stderr)
    except PyMongoError as error:
        print(f"MongoDB: {type(error).__name__}.", file=sys.stderr)
    return 1
