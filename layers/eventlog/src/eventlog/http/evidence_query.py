"""The parameters of the routes that give evidence."""

from typing import Annotated

from pydantic import BaseModel, Field

from eventlog.fields import ChainName
from eventlog.formats.checkpoint import MAX_SIZE
from eventlog.http.query_strings import DIGITS

TreeSize = Annotated[int, Field(ge=0, le=MAX_SIZE), DIGITS]


class ProofQuery(BaseModel):
    """In which tree an event is to be proven."""

    chain: ChainName = "main"
    size: TreeSize | None = Field(default=None, description="Tree size; default: that of the newest checkpoint")


class ConsistencyQuery(BaseModel):
    """Two tree sizes."""

    first: TreeSize = Field(description="The smaller size")
    second: TreeSize = Field(description="The larger size, at most the chain's")


class SizeQuery(BaseModel):
    """One tree size."""

    size: TreeSize | None = Field(default=None, description="Default: the newest")
