"""What evidence looks like in JSON; hashes are lower-case hex."""

from pydantic import BaseModel, Field

from eventlog.http.event_schemas import EventOut


class CheckpointOut(BaseModel, defer_build=True):
    """A signed and anchored tree head."""

    number: int = Field(description="The chain's anchors are counted from 1")
    size: int
    root: str
    time: str
    note: str = Field(description="The signed note (C2SP tlog-checkpoint), byte for byte")


class ProofOut(BaseModel, defer_build=True):
    """An inclusion proof (RFC 9162, section 2.1.3): ``leaf_hash`` and ``hashes`` lead to ``root``."""

    chain: str
    leaf_index: int
    tree_size: int
    leaf: str = Field(description="uint64_be(seq) || prev_hash || content_hash: 72 bytes")
    leaf_hash: str
    hashes: list[str] = Field(description="From the leaf to the root")
    root: str
    checkpoint: str | None = Field(description="The signed note of this size, if there is one")


class ConsistencyOut(BaseModel, defer_build=True):
    """A consistency proof (RFC 9162, section 2.1.4)."""

    first: int
    second: int
    hashes: list[str]
    first_root: str
    second_root: str


class RegistryProofOut(BaseModel, defer_build=True):
    """An inclusion proof of an event of the registry, and the checkpoint that it leads to."""

    tree_size: int
    hashes: list[str] = Field(description="From the event to the root")
    checkpoint: str = Field(description="The registry's signed note, byte for byte")


class HeadProofOut(BaseModel, defer_build=True):
    """A chain's head proven under the registry: the anchor, its place under the commitment, and the commitment's."""

    chain: str
    number: int = Field(description="Which of the chain's anchors it is")
    anchor: str = Field(description="The signed note of the chain's head, byte for byte")
    index: int
    count: int = Field(description="How many heads the commitment has")
    hashes: list[str] = Field(description="From the head's leaf to the commitment's root")
    event: EventOut
    registry: RegistryProofOut


class RootOut(BaseModel, defer_build=True):
    """The Merkle root at a size; nobody has signed it."""

    chain: str
    size: int
    root: str
