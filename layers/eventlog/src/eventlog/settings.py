"""Configuration, read once from the environment or ``.env`` and passed in; nothing reads it at import."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set. A Lambda function gets these as environment variables from template.yaml."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", populate_by_name=True)

    mongo_uri: str | None = Field(default=None, description="MongoDB connection string of a replica set")
    mongo_uri_secret: str | None = Field(default=None, description="ARN of a Secrets Manager secret that holds it")
    mongo_database: str = Field(default="eventlog", description="Database name")
    origin: str = Field(
        default="localhost/eventlog",
        validation_alias="EVENTLOG_ORIGIN",
        pattern=r"^[^\s+]+$",
        description="Name of this log, fixed in each chain when it is created",
    )
    tracing: bool = Field(default=False, validation_alias="EVENTLOG_TRACING", description="X-Ray traces")
    audit_seconds: float = Field(
        default=20.0,
        validation_alias="EVENTLOG_AUDIT_SECONDS",
        description="How long a request waits for an audit before it gets 202",
    )
