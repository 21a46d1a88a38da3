"""What the commands of this package share: their settings, their error, and the text about a bad setting."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


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
