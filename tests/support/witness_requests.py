"""What a log sends to its witnesses, honest or of another history; and a witness with a memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.event import Event
from eventlog.formats.note import Note, VerifierKey, parse_note
from eventlog.formats.proof import consistency_ranges, heads
from eventlog.formats.witness_protocol import AddCheckpoint, format_request, parse_answer
from eventlog.witness.keys import WitnessKey
from eventlog.witness.witness import Witness, WitnessAnswer
from tests.support.evidence import KEY, LINE, Key, checkpoint_of, events, nodes_of, signed
from tests.support.witness_memories import Memory, State
from tests.support.witnesses import ed25519

LOG = KEY.named()
W = ed25519("witness.example/w1", 1)
TIME = 1_764_000_000


@cache
def history(name: str = "") -> Sequence[Event]:
    """Twenty events; each name is another history."""
    return list(events(20, principal=f"p{name}"))


def note(size: int, name: str = "", *keys: Key) -> bytes:
    """A signed checkpoint of the first events."""
    return signed(checkpoint_of(history(name)[:size]), *keys)


def proof(old: int, size: int, name: str = "") -> tuple[bytes, ...]:
    """The consistency proof between two sizes."""
    return tuple(heads(consistency_ranges(old, size), nodes_of(history(name)[:size])))


def body(old: int, size: int, name: str = "", *keys: Key) -> bytes:
    """The body of a request."""
    return format_request(AddCheckpoint(old, proof(old, size, name), note(size, name, *keys)))


@dataclass
class Told:
    """A witness with this memory, what it told, and its clock, which stands."""

    memory: Memory
    keys: tuple[WitnessKey, ...] = (W,)
    told: list[str] = field(default_factory=list)
    time: int = TIME

    @property
    def state(self) -> State:
        return self.memory.state

    def ask(self, data: bytes) -> WitnessAnswer:
        return Witness(self.state, self.keys, self.told.append, lambda: self.time).add_checkpoint(data)

    def size(self) -> int:
        return self.state.read(LINE).head()[0]


def verified(answer: WitnessAnswer, size: int, *keys: VerifierKey) -> list[int]:
    """The times of an answer's cosignatures."""
    assert answer.status == 200, answer
    text = parse_note(note(size)).text
    return [each.time for each in verify_cosignatures(Note(text, parse_answer(answer.body)), keys or [W.key])]
