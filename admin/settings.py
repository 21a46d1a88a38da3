"""What the administrator's commands read from the environment: the database, its URI, and the users' passwords."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from admin.command import CommandError
from eventlog.formats.search_keys import parse_fields
from eventlog.store.mongo.roles import ROLES

SHORTEST = 16


class AdminSettings(BaseSettings):
    """Settings of a command. Secrets come from the environment, `.env` or files, as others can see a command line."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    mongo_database: str = "eventlog"
    mongo_admin_uri: SecretStr | None = None
    mongo_admin_uri_file: Path | None = None
    search_fields: str = Field(default="", validation_alias="EVENTLOG_SEARCH_FIELDS")
    eventlog_ingest_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_ingest_password_file: Path | None = None
    eventlog_query_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_query_password_file: Path | None = None
    eventlog_audit_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_audit_password_file: Path | None = None
    eventlog_erase_password: SecretStr | None = Field(default=None, min_length=SHORTEST)
    eventlog_erase_password_file: Path | None = None

    @field_validator("search_fields")
    @classmethod
    def _check_search_fields(cls, value: str) -> str:
        parse_fields(value)
        return value

    def uri(self) -> str:
        """Return the administrator's URI.

        Raises:
            CommandError: none was given.
        """
        found = self._secret("mongo_admin_uri")
        if found is None:
            raise CommandError("Set MONGO_ADMIN_URI, or MONGO_ADMIN_URI_FILE to a file that holds it.")
        return found

    def passwords(self) -> dict[str, str]:
        """Return the passwords that were given, by user.

        Raises:
            CommandError: a password is too short, or its file can't be read.
        """
        found = {role.name: self._secret(f"{role.name}_password".replace("-", "_")) for role in ROLES}
        for name, password in found.items():
            if password is not None and len(password) < SHORTEST:
                raise CommandError(f"The password for {name} is shorter than {SHORTEST} characters.")
        return {name: password for name, password in found.items() if password is not None}

    def _secret(self, name: str) -> str | None:
        given: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if given is not None or path is None:
            return None if given is None else given.get_secret_value()  # the variable goes before the file
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}, from {name.upper()}_FILE, can't be read.") from error
