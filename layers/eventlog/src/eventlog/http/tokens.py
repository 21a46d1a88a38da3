"""Bearer tokens of a server without API Gateway: a file with the hash of each token, its owner and what it allows.

    {"tokens": [{"sha256": "<hex>", "principal": "shop", "scopes": ["events:write"], "chains": ["acme.*"]}]}

An entry without ``chains`` is for all of them. No token is stored, only its hash. Tokens are random, so a fast hash is
enough; and as they are looked up by that hash, the time it takes says nothing of how near a guess was.
"""

import os
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from eventlog.fields import Name
from eventlog.formats import strict_json
from eventlog.formats.strict_json import MalformedJSONError
from eventlog.http.callers import Caller, parse_chains
from eventlog.settings import ConfigurationError

_MAX_BYTES = 1 << 20


def _chain_names(names: list[str]) -> list[str]:
    parse_chains(names)
    return names


class TokenEntry(BaseModel):
    """One token in the file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    principal: Name
    scopes: list[Literal["events:read", "events:write", "audits:write", "events:erase", "holds:write"]]
    chains: Annotated[list[str], AfterValidator(_chain_names)] | None = None

    def caller(self) -> Caller:
        """The caller who has this token."""
        chains = None if self.chains is None else parse_chains(self.chains)
        return Caller(self.principal, frozenset(self.scopes), chains)


class TokenFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tokens: list[TokenEntry]

    @field_validator("tokens")
    @classmethod
    def _one_entry_a_token(cls, entries: list[TokenEntry]) -> list[TokenEntry]:
        if len({entry.sha256 for entry in entries}) < len(entries):
            raise ValueError("two entries are for one token")
        return entries


class Tokens:
    """Callers by the hash of their token."""

    def __init__(self, entries: Sequence[TokenEntry]) -> None:
        self.entries = entries
        self._callers = {bytes.fromhex(entry.sha256): entry.caller() for entry in entries}

    def find(self, authorization: str) -> Caller | None:
        """The caller whose token is in an ``Authorization`` header (RFC 6750, section 2.1); None if it is no token."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._callers.get(sha256(token.strip().encode()).digest())


def read_tokens(path: Path | str) -> Tokens:
    """The tokens of a file that only its owner can read.

    Raises:
        ConfigurationError: The file can't be used; the text names the entry and never quotes it.
    """
    try:
        file = TokenFile.model_validate(strict_json.parse(_read_private(Path(path)), max_depth=4))
        return Tokens(file.tokens)
    # Each of these says why in words of our own: the errors' own texts may quote a part of the file.
    except OSError as error:
        why = error.strerror or "it can't be read"
    except MalformedJSONError:
        why = "it is not JSON, or has a name twice"
    except ValidationError as error:
        why = explain(error)
    raise ConfigurationError(f"the token file {path} can't be used: {why}")


def explain(error: ValidationError) -> str:
    """Say what is wrong first, and where, without a word from the file: even an unknown name may be a secret."""
    found = error.errors(include_input=False, include_url=False, include_context=False)[0]
    match found["loc"]:
        case ("tokens", int(index), str(name), *_) if name in TokenEntry.model_fields:
            return f"entry {index + 1}, {name}: {found['msg'].removeprefix('Value error, ')}"
        case ("tokens", int(index), *_):
            return f"entry {index + 1}: it must be an object with sha256, principal, scopes and perhaps chains"
        case ("tokens",) if found["type"] == "value_error":
            return "two entries are for one token"
    return 'it must be {"tokens": [...]}'


def _read_private(path: Path) -> bytes:
    """The content of a file that is small and that nobody but its owner can read."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise PermissionError(0, "others than its owner can read it; chmod 600 it")
        if status.st_size > _MAX_BYTES:
            raise OSError(0, "it is too large")
        return file.read()
