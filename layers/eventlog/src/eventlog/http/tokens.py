"""Bearer tokens of a server without API Gateway: a file with the hash of each one, whose it is and what it allows.

    {"tokens": [{"sha256": "<hex>", "principal": "shop", "scopes": ["events:write"], "chains": ["acme.*"]}]}

Without ``chains`` an entry is for all of them. The tokens themselves are nowhere; they are random enough that a fast
hash is a good one, and a look-up by hash takes no longer for a better guess.
"""

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from eventlog.formats import strict_json
from eventlog.formats.strict_json import MalformedJSONError
from eventlog.http.callers import Caller, parse_chains
from eventlog.http.resources import ConfigurationError
from eventlog.service.submission import Name

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


class Tokens:
    """Callers by the hash of their token."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self._callers = callers

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
    entries = read_file(Path(path)).tokens
    callers = {bytes.fromhex(entry.sha256): entry.caller() for entry in entries}
    if len(callers) < len(entries):
        raise ConfigurationError(f"the token file {path} can't be used: two of its entries are for one token")
    return Tokens(callers)


def read_file(path: Path) -> TokenFile:
    """What a token file says.

    Raises:
        ConfigurationError
    """
    try:
        value = strict_json.parse(_read_private(path), max_depth=4)
        return TokenFile.model_validate(value)
    except OSError as error:
        why = error.strerror or "it can't be read"
    except MalformedJSONError:
        why = "it is not JSON, or has a name twice"
    except ValidationError as error:
        why = _explain(error)
    raise ConfigurationError(f"the token file {path} can't be used: {why}")


def _read_private(path: Path) -> bytes:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
            raise PermissionError(0, "others than its owner can read it; chmod 600 it")
        if status.st_size > _MAX_BYTES:
            raise OSError(0, "it is too large")
        return file.read()


def _explain(error: ValidationError) -> str:
    """Where the first thing is that is wrong; a name that is not known is content, too."""
    found = error.errors(include_input=False, include_url=False, include_context=False)[0]
    location = found["loc"]
    where = "" if len(location) < 2 else f"entry {int(location[1]) + 1}, "
    known = [str(part) for part in location[2:3] if part in TokenEntry.model_fields]
    if not known:
        return f"{where}a member is missing or unknown, or it is no object" if where else 'it must be {"tokens": [...]}'
    return f"{where}{known[0]}: {found['msg']}"
