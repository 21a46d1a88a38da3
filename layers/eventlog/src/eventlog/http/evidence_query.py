"""The parameters of the routes that give evidence; unknown ones are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eventlog.fields import ChainName
from eventlog.formats.checkpoint import MAX_SIZE

TreeSize = Annotated[int, Field(ge=0, le=MAX_SIZE)]


class ProofQuery(BaseModel):
    """In which tree an event is to be proven."""

    model_config = ConfigDict(extra="forbid")

    chain: ChainName = "main"
    size: TreeSize | None = Field(default=None, description="Tree size; default: that of the newest checkpoint")


class ConsistencyQuery(BaseModel):
    """Two tree sizes."""

    model_config = ConfigDict(extra="forbid")

    first: TreeSize = Field(description="The smaller size")
    second: TreeSize = Field(description="The larger size, at most the chain's")


class SizeQuery(BaseModel):
    """One tree size."""

    model_config = ConfigDict(extra="forbid")

    size: TreeSize | None = Field(default=None, description="Default: the newest")


class NoQuery(BaseModel):
    """No parameters at all."""

    model_config = ConfigDict(extra="forbid")
