"""The rules that can be switched off, the requests that processes send, and the three writes of the protocol."""

from collections.abc import Generator, Iterator
from enum import Enum
from random import Random
from typing import NamedTuple, TypeAlias, TypeVar

from tests.model.invariants import History
from tests.model.replica_set import Body, Change, Sequence, Session, State


class Rule(Enum):
    """What the protocol relies on; the value says what is done with the rule on."""

    SETTLE_COMMITTED_READS = "settle from majority reads, not from local ones"
    SETTLE_ACKNOWLEDGED_PUSHES = "settle from the post-image of acknowledged pushes only"
    TRIM_COMMITTED_INSERTS = "trim after inserts which a majority has, not after w:1"
    CONFIRM_DUPLICATES = "see a duplicate in a majority read before trimming it"
    TRIM_ON_SETTLED_SIZE = "trim on condition that settled_size is that of the image"
    RECEIPTS_FROM_MAJORITY_READS = "replay receipts from majority reads, not from local ones"
    RECEIPTS_FOR_ACKNOWLEDGED_PUSHES = "a write-concern error is no acknowledgement"
    LOOK_UP_SEQUENCES_FIRST = "look an id up in sequences, then in events"
    LOOK_UP_IN_ONE_SESSION = "look an id up in one causally consistent session"
    QUERY_SEQUENCES_FIRST = "query sequences, then events"
    QUERY_IN_ONE_SESSION = "query in one causally consistent session"
    PUSH_UNLESS_PENDING = "push on condition that the id is not pending"
    PUSH_WITHIN_BOUND = "push on condition that settled_size <= size at the look-up"
    RECENT_UNLESS_PENDING = "look up from the last push's image only if it has none of the ids pending"
    RECENT_THEN_EVENTS = "look up from the last push's image, then in events as of that push or later"
    TRIM_ALL_ON_SIZE = "trim all that is pending on condition that it is all that was stored"
    NO_PUSH_AFTER_SILENCE = "never push a server-made id again after a network error"
    PUSH_AFTER_COMMITTED_BODIES = "push once a majority has the payloads that are stored apart"
    PUSH_UNLESS_SWEPT = "push on condition that no payload as old as these may have been removed"
    SWEEP_SAYS_SO_FIRST = "look for the events of old payloads only after pushes of such are refused"
    SWEEP_SEQUENCES_FIRST = "look for a payload's event in sequences, then in events"
    SWEEP_AFTER_COMMITTED_FENCE = "remove payloads only once a majority has what refuses their pushes"
    SWEEP_BEFORE_THE_FENCE = "remove only payloads that are older than what is refused"
    NO_PUSH_AFTER_OPEN_ANSWER = "never push a server-made id again after an answer that leaves the push in flight"


class Outcome(Enum):
    """How a request ended, as its sender sees it."""

    OK = "ok"
    REFUSED = "refused"  # the condition does not hold, or a unique index has the key
    ERROR = "error"  # the server answered: not primary, or no majority in time. Applied or not, it is over
    OPEN = "open"  # a router answered with an error: applied, not applied, or still to be applied
    SILENCE = "silence"  # the network failed: applied, not applied, or still to be applied


class Read(NamedTuple):
    """A read of one collection."""

    collection: str
    session: Session
    majority: bool = True


class Write(NamedTuple):
    """A conditional write; an acknowledgement comes at once, or with `majority` once it is committed."""

    name: str
    change: Change
    session: Session
    majority: bool = True


class Reply(NamedTuple):
    """The outcome, and the state read or written where the server told it."""

    outcome: Outcome
    image: State | None = None


T = TypeVar("T")
Steps: TypeAlias = Generator[Read | Write, Reply, T]


class Recent(NamedTuple):
    """A process's last push of chosen ids: the document right after it, and the cluster time then."""

    sequence: Sequence
    time: int


class Context(NamedTuple):
    """What all processes of a run share: nothing that the real ones could not.

    ``recent`` is what each of a few real processes remembers, of which each runs several of the model's.
    """

    rng: Random
    history: History
    off: frozenset[Rule]
    recent: dict[int, Recent]
    attempts: Iterator[int]


class Lookup(NamedTuple):
    """Where ids stand, as far as they do, and the log's size when that was true."""

    seqs: dict[str, int]
    bound: int


def push(
    ids: tuple[str, ...],
    bound: int | None,
    off: frozenset[Rule],
    session: Session,
    bodies: tuple[Body, ...] = (),
) -> Write:
    """Append to the pending entries; with a bound unless an id is there, or may have settled since the look-up.

    With payloads that are stored apart, unless some that were stored later may have been removed.
    """

    def change(state: State) -> State | None:
        size, settled, pending, swept = state.sequence
        if any(swept > body.at for body in bodies) and Rule.PUSH_UNLESS_SWEPT not in off:
            return None
        if bound is not None:
            if any(event_id in pending for event_id in ids) and Rule.PUSH_UNLESS_PENDING not in off:
                return None
            if settled > bound and Rule.PUSH_WITHIN_BOUND not in off:
                return None
        payloads = {**state.payloads, **{body.event_id: body for body in bodies}}
        sequence = Sequence(size + len(ids), settled, pending + ids, swept)
        return state._replace(sequence=sequence, payloads=payloads)

    return Write(f"push {'+'.join(ids)} bound {bound}", change, session)


def insert_bodies(bodies: tuple[Body, ...], session: Session, *, majority: bool) -> Write:
    """Insert payloads that are stored apart; a second time changes nothing."""

    def change(state: State) -> State | None:
        return state._replace(bodies=state.bodies | frozenset(bodies))

    return Write(f"bodies {'+'.join(f'{b.event_id}#{b.attempt}@{b.at}' for b in bodies)}", change, session, majority)


def fence(before: int, session: Session) -> Write:
    """Refuse from now on pushes of payloads that were stored before a time."""

    def change(state: State) -> State | None:
        return state._replace(sequence=state.sequence._replace(swept=max(state.sequence.swept, before)))

    return Write(f"fence {before}", change, session)


def remove_bodies(unused: frozenset[Body], session: Session) -> Write:
    """Remove payloads."""

    def change(state: State) -> State | None:
        return state._replace(bodies=state.bodies - unused)

    return Write(f"remove {sorted(unused)}", change, session)


def insert(seq: int, event_id: str, session: Session, *, majority: bool) -> Write:
    """Insert into `events`, which has unique indexes on both seq and id."""

    def change(state: State) -> State | None:
        if seq in state.events or event_id in state.events.values():
            return None
        return state._replace(events={**state.events, seq: event_id})

    return Write(f"insert {seq}={event_id} majority={majority}", change, session, majority)


def trim(image: Sequence, count: int, off: frozenset[Rule], session: Session) -> Write:
    """Drop the first `count` pending entries unless someone else has trimmed since the image."""

    def change(state: State) -> State | None:
        size, settled, pending, swept = state.sequence
        if settled != image.settled and Rule.TRIM_ON_SETTLED_SIZE not in off:
            return None
        dropped = len(pending[:count])
        return state._replace(sequence=Sequence(size, settled + dropped, pending[count:], swept))

    return Write(f"trim {count} at {image.settled}", change, session, majority=False)


def trim_all(image: Sequence, off: frozenset[Rule], session: Session) -> Write:
    """Drop all pending entries if they are those of the image."""

    def change(state: State) -> State | None:
        size, settled, _, swept = state.sequence
        if settled != image.settled or (size != image.size and Rule.TRIM_ALL_ON_SIZE not in off):
            return None
        return state._replace(sequence=Sequence(size, image.size, (), swept))

    return Write(f"trim all at {image.settled}", change, session, majority=False)


def describe(request: Read | Write, reply: Reply) -> str:
    """One line of a trace: the request, its outcome and what was seen."""
    if isinstance(request, Write):
        name = request.name
    else:
        name = f"read {request.collection} {'majority' if request.majority else 'local'}"
    line = f"{name} -> {reply.outcome.value}"
    if reply.image is None:
        return line
    if isinstance(request, Read) and request.collection == "events":
        return f"{line} {dict(reply.image.events)}"
    return f"{line} {tuple(reply.image.sequence)}"
