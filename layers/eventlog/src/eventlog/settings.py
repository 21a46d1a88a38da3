"""Configuration, read once from the environment or ``.env`` and passed in; nothing reads it at import."""

from collections.abc import Callable
from typing import Self

from pydantic import AliasGenerator, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from eventlog.formats.name_filter import NameFilter
from eventlog.formats.note import parse_vkey
from eventlog.formats.search_keys import SearchFields, parse_fields

_HOST = r"(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]+)?"
"""Plain HTTP only on this machine, to try it out. It goes into a Content-Security-Policy: no other characters."""
_ISSUER = rf"^({_HOST}(/\S*)?)?$"


class ConfigurationError(Exception):
    """A setting is missing or can't be used; the text names it and never shows its value."""


def _variable(name: str) -> str:
    """Return the environment variable that a setting is read from; case does not matter."""
    return name if name.startswith("mongo_") else f"EVENTLOG_{name.upper()}"


class Settings(BaseSettings):
    """Everything that can be set. A Lambda function gets these as environment variables from template.yaml."""

    model_config = SettingsConfigDict(
        alias_generator=AliasGenerator(validation_alias=_variable),
        env_file=".env",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    mongo_uri: str | None = None
    """MongoDB connection string of a replica set."""
    mongo_uri_secret: str | None = None
    """ARN of a Secrets Manager secret or an SSM parameter (SecureString) that holds it."""
    mongo_database: str = "eventlog"
    """Database name."""
    database_set_up: bool = False
    """Whether ``make db-setup`` has been run, so that audits miss a validator or index that is gone."""
    mongo_pool_size: int = Field(default=100, ge=2, le=1000)
    """Connections to MongoDB at most."""
    allow_plaintext_mongodb: bool = False
    """Whether MongoDB on another machine may be reached without TLS, or without checking who answers."""
    origin: str = Field(default="localhost/eventlog", pattern=r"^[^\s+]+$")
    """Name of this log, fixed in each chain when it is created."""
    base_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$")
    """What stands before the log's own paths where clients see it, such as ``/log`` of a custom domain."""
    tokens: str | None = None
    """File of bearer tokens, for a server without API Gateway, whose authorizer says who calls."""
    scope_prefix: str = ""
    """What the issuer writes before our scopes, such as ``eventlog/`` of Cognito's resource servers."""
    chains_claim: str = Field(default="eventlog_chains", min_length=1)
    """Name of the JWT claim that limits a caller to chains."""
    new_chains_per_day: int = Field(default=100, ge=0)
    """How many chains one caller may create in a day (UTC); 0: any number."""
    payloads_apart_from: int = Field(default=8192, ge=0)
    """From how many bytes on a payload is stored apart from its event; 0: none is."""
    streams_per_caller: int = Field(default=20, ge=0)
    """On a server: how many live streams one caller may have open; 0: any number."""
    tracing: bool = False
    """X-Ray traces."""
    audit_seconds: float = 20.0
    """How long a request waits for an audit before it gets 202."""
    stream_seconds: float = Field(default=20.0, gt=0, le=25)
    """Behind Lambda: how long a stream waits for something before it answers."""
    anchors: str | None = None
    """Where signed checkpoints are kept outside the database: a directory, or s3://bucket[/prefix]."""
    signing_keys: str = ""
    """What signs them: key files or kms:<id, ARN or alias>, separated by commas; the first one seals."""
    retired_keys: str = ""
    """Verifier keys, separated by commas, that sign no more but whose old checkpoints are still valid."""
    governance_keys: str = ""
    """Verifier keys, separated by commas, that order erasures and holds; none: nothing can be erased."""
    governance_signing_key: str = ""
    """What signs orders: a key file or kms:<id, ARN or alias>; only what erases has it."""
    erasure_approvals: int = Field(default=1, ge=1, le=2)
    """How many people an erasure takes; 2: another than who asks has to approve it."""
    full_audit_hours: int = Field(default=48, gt=0, le=8760)
    """After so long a full round of audits is missing, and what was signed to go on from counts no more."""
    rehash_days: int = Field(default=0, ge=0, le=3650)
    """Within so many days the schedule re-hashes every event of a long chain; 0: each full audit does."""
    anchor_idle_seconds: int = Field(default=86400, gt=0)
    """How old a chain's newest anchor gets before there is another though nothing was added."""
    anchor_packs: bool = False
    """Whether what many chains get in one round is put into few objects, from each one's next anchor on."""
    anchor_retention_days: int = Field(default=365, gt=0, le=36500)
    """How long nobody can remove an anchor from S3."""
    witness_policy: str = ""
    """C2SP policy of the witnesses that are asked: a file, or ssm:NAME of a parameter; none: nobody is."""
    witness_chains: str = "eventlog.registry"
    """The chains they are asked for, separated by commas; with a * at the end, prefixes; none: all."""
    witness_fresh_seconds: int = Field(default=600, gt=0)
    """After so long a witness is asked for the same anchor again."""
    witness_name: str = ""
    """Our witness of others' logs: its name, such as ``witness.example/w1``; none: there is none."""
    witness_keys: str = ""
    """What it cosigns with: kms:<id, ARN or alias> or key files, separated by commas."""
    witness_state: str = ""
    """What it remembers, never from a backup: s3://bucket[/prefix], or a directory."""
    queue_url: str | None = None
    """SQS FIFO queue of events that were accepted and not appended yet; none: nothing is asynchronous."""
    dead_letters_url: str | None = None
    """SQS FIFO queue of accepted events that can never be appended."""
    asynchronous: bool = Field(default=False, validation_alias="EVENTLOG_ASYNC")
    """Whether POST /api/v1/events is asynchronous unless it says ?async=false."""
    search_fields: str = ""
    """What events are found by beside time, type and source: ``user=/user,/actor/id; ip=/ip``."""
    sign_in_issuer: str = Field(default="", pattern=_ISSUER)
    """OpenID Connect issuer with which viewers of the dashboard sign in; none: they need not."""
    sign_in_client: str = ""
    """The dashboard's client id there."""
    sign_in_scope: str = "openid events:read audits:write"
    """What the dashboard asks for; ``scope_prefix`` goes before our own scopes."""
    sign_in_hosts: str = Field(default="", pattern=rf"^({_HOST}(,\s*|$))*$")
    """Origins, separated by commas, that the dashboard may ask for tokens beside the issuer's own."""

    @field_validator("base_path")
    @classmethod
    def _check_base_path(cls, value: str) -> str:
        begins = f"{value}/"
        if value and any(own.startswith(begins) or begins.startswith(own) for own in ("/api/v1/", "/dashboard/")):
            raise ValueError("EVENTLOG_BASE_PATH looks like the log's own paths: nobody could tell which is meant")
        return value

    @field_validator("search_fields", "retired_keys", "governance_keys", "witness_chains")
    @classmethod
    def _check_readable(cls, value: str, info: ValidationInfo) -> str:
        """Refuse at once what could not be read when it is needed."""
        _READERS[str(info.field_name)](value)
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse settings of which one means nothing, or something else, without another."""
        if self.witness_policy and not self.anchors:
            raise ValueError("EVENTLOG_WITNESS_POLICY needs EVENTLOG_ANCHORS: witnesses cosign anchors")
        if bool(self.anchors) != bool(listed(self.signing_keys)):
            raise ValueError("EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS come together")
        if self.rehash_days and not self.anchors:
            raise ValueError("EVENTLOG_REHASH_DAYS needs EVENTLOG_ANCHORS: audits rest on what a key has signed alone")
        if self.rehash_days and self.rehash_days * 24 < 2 * self.full_audit_hours:
            raise ValueError("EVENTLOG_REHASH_DAYS must be at least twice EVENTLOG_FULL_AUDIT_HOURS")
        if self.asynchronous and not self.queue_url:
            raise ValueError("EVENTLOG_ASYNC needs EVENTLOG_QUEUE_URL")
        return self

    @property
    def governance_public_keys(self) -> list[bytes]:
        """The public keys of those that order erasures and holds, 32 bytes each."""
        return _governance_keys(self.governance_keys)

    @property
    def declared_fields(self) -> SearchFields:
        """The search fields that are declared, without a version."""
        return parse_fields(self.search_fields)


def listed(text: str) -> list[str]:
    """Return the parts of a comma-separated setting, without blanks around them and without empty parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _governance_keys(text: str) -> list[bytes]:
    """Read the public keys of governance keys."""
    if not text:
        return []
    from eventlog.formats.governance_note import parse_governance_vkey  # noqa: PLC0415  2 ms, and most functions have none

    return [parse_governance_vkey(vkey).public_key for vkey in listed(text)]


_READERS: dict[str, Callable[[str], object]] = {
    "search_fields": parse_fields,
    "retired_keys": lambda text: [parse_vkey(vkey) for vkey in listed(text)],
    "governance_keys": _governance_keys,
    "witness_chains": lambda text: NameFilter.of(listed(text)),
}
