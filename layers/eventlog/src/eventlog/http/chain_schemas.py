"""What answers about chains look like: models for the OpenAPI document, and the function that writes a chain."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from eventlog.http.evidence_schemas import CheckpointOut
from eventlog.http.standing_schemas import StandingOut
from eventlog.store.interface import Chain, UnreadableChain


class ChainOut(BaseModel, defer_build=True):
    """A chain and its head."""

    chain: str
    origin: str
    size: int = Field(description="Acknowledged events")
    settled_size: int
    hash: str = Field(description="The last event's hash; the genesis hash of an empty chain")
    root: str = Field(description="Merkle root over all leaves")
    standing: StandingOut = Field(description="What full audits say, and what was found and still stands")


class DamagedChainOut(BaseModel, defer_build=True):
    """A chain of which the database does not say what it should: have it audited."""

    chain: str
    damaged: Literal[True]
    standing: StandingOut


class ChainDetail(ChainOut):
    """A chain with what is known of its integrity."""

    last_checkpoint: CheckpointOut | None
    keys: list[str] = Field(description="Verifier keys that signed it, as the log says: pin them, don't take them here")
    last_audit: dict[str, Any] | None = Field(description="In any mode: it takes nothing back that stands")


class DamagedChainDetail(DamagedChainOut):
    """A chain that can't be read, or is gone though something stands of it: what audits say."""

    last_audit: dict[str, Any] | None = Field(description="In any mode: it takes nothing back that stands")


class Chains(BaseModel, defer_build=True):
    """Chains by name; ``next`` goes on as ``after``, null at the end."""

    chains: list[ChainOut | DamagedChainOut]
    next: str | None


def listed_fields(chain: Chain | UnreadableChain) -> dict[str, Any]:
    """A chain as lists show it."""
    return {"chain": chain.name, "damaged": True} if isinstance(chain, UnreadableChain) else chain_fields(chain)


def chain_fields(chain: Chain) -> dict[str, Any]:
    """A chain and its head as shown."""
    return {
        "chain": chain.name,
        "origin": chain.origin,
        "size": chain.state.size,
        "settled_size": chain.settled_size,
        "hash": chain.state.hash.hex(),
        "root": chain.state.root.hex(),
    }
