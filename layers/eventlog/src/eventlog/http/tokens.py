"""Bearer tokens of a server without API Gateway: a file with the hash of each one, whose it is and what it allows.

    {"tokens": [{"sha256": "<hex>", "principal": "shop", "scopes": ["events:write"], "chains": ["acme.*"]}]}

Without ``chains`` an entry is for all of them. The tokens themselves are nowhere; they are random enough that a fast
hash is a good one, and a look-up by hash takes no longer for a better guess.
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
from eventlog.wiring.resources import ConfigurationError

_MAX_BYTES = 1 << 20


def _chain_names(names: list[str]) -> list[str]:
    parse_chains(names)
    return names


class TokenEntry(BaseModel):
    """What the file says of one token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    principal: Name
    scopes: list[Literal["events:read", "events:write", "audits:write"]]
    chains: Annotated[list[str], AfterValidator(_chain_names)] | None = None

    def caller(self) -> Caller:
        """Whom the token makes known."""
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
        """The caller that an ``Authorization`` header makes known."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._callers.get(sha256(token.strip().encode()).digest())


def read_tokens(path: Path | str) -> Tokens:
    """The tokens of a file that its owner alone can read.

    Raises:
        ConfigurationError: it can't be used; the text names the entry and never repeats what it says.
    """
    try:
        file = TokenFile.model_validate(strict_json.parse(_read_private(Path(path)), max_depth=4))
        return Tokens(file.tokens)
    except OSError as error:
        why = error.strerror or "it can't be read"
    except MalformedJSONError:
        why = "it is not JSON, or has a name twice"
    except ValidationError as error:
        why = explain(error)
    raise ConfigurationError(f"the token file {path} can't be used: {why}")


def explain(error: ValidationError) -> str:
    """Where the first thing is that is wrong; a name that nobody knows is content, too."""
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
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise PermissionError(0, "others than its owner can read it; chmod 600 it")
        if status.st_size > _MAX_BYTES:
            raise OSError(0, "it is too large")
        return file.read()
