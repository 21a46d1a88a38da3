"""The append and settle protocol as processes that take one database step per yield.

A process is a generator: it yields a request and is sent the reply. Whatever it does between two yields is atomic,
which costs nothing, as it touches no shared state there. A crash is a generator that is never resumed.

Modelled: appends of one event or a batch with ids chosen by clients, appends with an id made by the server, look-ups
that start from a process's last push, payloads stored apart and swept, settling by writers and by others, queries. Not
modelled: contents and hashes (an entry is its id, so a replay with other content does not occur), the limit on pending
bytes, the creation of a chain, and who settles which block: any writer settles any part, as correctness must not depend
on that.

Every `Rule` can be switched off, to show that the model would notice.
"""

from collections.abc import Mapping

from tests.model.invariants import ViolationError
from tests.model.replica_set import Body, Sequence, Session, State
from tests.model.requests import (
    Context,
    Lookup,
    Outcome,
    Read,
    Recent,
    Reply,
    Rule,
    Steps,
    fence,
    insert,
    insert_bodies,
    push,
    remove_bodies,
    trim,
    trim_all,
)

ROUNDS = 4
CLOCK = 4
"""Writers' and sweepers' clocks show any time below this: nothing may rest on them."""
MEMORIES = 2


def read_both(order: list[str], session: Session | None, *, majority: bool) -> Steps[dict[str, State] | None]:
    """Read both collections in this order, in one causal session if there is one; None if a read fails."""
    images: dict[str, State] = {}
    for collection in order:
        reply = yield Read(collection, session or Session(), majority)
        if reply.image is None:
            return None
        images[collection] = reply.image
    return images


def look_up(context: Context, ids: tuple[str, ...], session: Session) -> Steps[Lookup | None]:
    """Find ids in `sequences`, then in `events` as of the same time or later; None if a read fails."""
    order = ["sequences", "events"]
    if Rule.LOOK_UP_SEQUENCES_FIRST in context.off:
        order.reverse()
    joined = Rule.LOOK_UP_IN_ONE_SESSION not in context.off
    majority = Rule.RECEIPTS_FROM_MAJORITY_READS not in context.off
    images = yield from read_both(order, session if joined else None, majority=majority)
    if images is None:
        return None
    size, settled, pending, _ = images["sequences"].sequence
    seqs = {event_id: seq for seq, event_id in images["events"].events.items()}
    seqs |= {event_id: seq for seq, event_id in enumerate(pending, settled)}
    return Lookup({event_id: seqs[event_id] for event_id in ids if event_id in seqs}, size)


def look_up_recent(context: Context, process: int, ids: tuple[str, ...]) -> Steps[Lookup | None]:
    """Find out from the process's last push that ids are new; None if they may be there, or a read fails."""
    recent = context.recent.get(process)
    if recent is None:
        return None
    if not set(ids).isdisjoint(recent.sequence.pending) and Rule.RECENT_UNLESS_PENDING not in context.off:
        return None
    session = Session()
    if Rule.RECENT_THEN_EVENTS not in context.off:
        session.saw(recent.time)
    reply = yield Read("events", session)
    if reply.image is None or not set(ids).isdisjoint(reply.image.events.values()):
        return None
    return Lookup({}, recent.sequence.size)


def query(context: Context, pages: int) -> Steps[None]:
    """Read what is settled and what is pending, several times, each in a session of its own."""
    order = ["sequences", "events"]
    if Rule.QUERY_SEQUENCES_FIRST in context.off:
        order.reverse()
    for _ in range(pages):
        session = None if Rule.QUERY_IN_ONE_SESSION in context.off else Session()
        images = yield from read_both(order, session, majority=True)
        if images is not None:
            size, settled, pending, _ = images["sequences"].sequence
            seen = {seq: event_id for seq, event_id in images["events"].events.items() if seq < settled}
            context.history.show(size, seen | dict(enumerate(pending, settled)))


def append_chosen(context: Context, ids: tuple[str, ...]) -> Steps[None]:
    """Append a batch whose ids the client chose: look up, push the new ones within the bound; else again, then 503.

    One session for all rounds lets a look-up wait for what refused the push; a new one is as safe and less often lucky.
    """
    session, process = Session(), context.rng.randrange(MEMORIES)
    bodies = large_ones(context, ids)
    stored: set[Body] = set()
    found = yield from look_up_recent(context, process, ids)
    for _ in range(ROUNDS):
        if context.rng.random() < 0.3:
            session = Session()
        if found is None:
            found = yield from look_up(context, ids, session)
        if found is None:
            continue
        missing = tuple(event_id for event_id in ids if event_id not in found.seqs)
        if not missing:
            acknowledge(context, found.seqs)
            return
        apart = tuple(body for body in bodies if body.event_id in missing)
        if not (yield from store_bodies(context, apart, stored)):
            return
        reply = yield push(missing, found.bound, context.off, session, apart)
        remember(context, process, reply, session)
        if (yield from pushed(context, missing, found.seqs, reply)):
            return
        found = None


def append_in_turn(context: Context, ids: tuple[str, ...]) -> Steps[None]:
    """Append one event after the other, as one client does."""
    for event_id in ids:
        yield from append_chosen(context, (event_id,))


def append_made(context: Context, event_id: str) -> Steps[None]:
    """Append an event with a fresh id: push at once; after an error that ends it as above; else only look it up."""
    ids = (event_id,)
    bodies = large_ones(context, ids)
    if not (yield from store_bodies(context, bodies, set())):
        return
    reply = yield push(ids, None, context.off, Session(), bodies)
    if (yield from pushed(context, ids, {}, reply)):
        return
    in_flight = {Outcome.SILENCE: Rule.NO_PUSH_AFTER_SILENCE, Outcome.OPEN: Rule.NO_PUSH_AFTER_OPEN_ANSWER}
    if in_flight.get(reply.outcome) in {None, *context.off}:
        yield from append_chosen(context, ids)
        return
    for _ in range(ROUNDS):
        found = yield from look_up(context, ids, Session())
        if found is not None and found.seqs:
            acknowledge(context, found.seqs)
            return


def large_ones(context: Context, ids: tuple[str, ...]) -> tuple[Body, ...]:
    """Choose which of these events have a payload that is stored apart. Their writer's clock may be far off."""
    attempt, at = next(context.attempts), context.rng.randrange(CLOCK)
    return tuple(Body(event_id, attempt, at) for event_id in ids if context.rng.random() < 0.4)


def store_bodies(context: Context, bodies: tuple[Body, ...], stored: set[Body]) -> Steps[bool]:
    """Insert payloads that are stored apart, again if it is not known whether they are; False if it gives up."""
    careless = Rule.PUSH_AFTER_COMMITTED_BODIES in context.off
    for _ in range(ROUNDS):
        if stored.issuperset(bodies):
            return True
        reply = yield insert_bodies(bodies, Session(), majority=not careless)
        if reply.outcome is Outcome.OK:
            stored.update(bodies)
    return stored.issuperset(bodies)


def sweep(context: Context, before: int) -> Steps[None]:
    """Remove payloads that no event has and that are older than a time, which the sequence document is told first."""
    off, session, images = context.off, Session(), dict[str, State]()
    early = ["sequences", "events"] if Rule.SWEEP_SAYS_SO_FIRST in off else []
    early = ["events"] if Rule.SWEEP_SEQUENCES_FIRST in off else early
    for collection in early:
        reply = yield Read(collection, session)
        if reply.image is None:
            return
        images[collection] = reply.image
    fenced = yield fence(before, session)
    if fenced.image is None or (fenced.outcome is not Outcome.OK and Rule.SWEEP_AFTER_COMMITTED_FENCE not in off):
        return
    images.setdefault("sequences", fenced.image)
    if "events" not in images:
        reply = yield Read("events", session)
        if reply.image is None:
            return
        images["events"] = reply.image
    there = {*images["sequences"].sequence.pending, *images["events"].events.values()}
    used = {body for state in images.values() for event_id, body in state.payloads.items() if event_id in there}
    swept = fenced.image.sequence.swept + (Rule.SWEEP_BEFORE_THE_FENCE in off)
    old = frozenset(body for body in fenced.image.bodies if body.at < swept)
    yield remove_bodies(old - used, session)


def remember(context: Context, process: int, reply: Reply, session: Session) -> None:
    """Keep the image of an acknowledged push for the process's next look-up."""
    if reply.image is not None and reply.outcome is Outcome.OK:
        context.recent[process] = Recent(reply.image.sequence, session.after)


def acknowledge(context: Context, seqs: Mapping[str, int]) -> None:
    """Give the receipts of one request."""
    for event_id, seq in seqs.items():
        context.history.acknowledge(event_id, seq)


def pushed(context: Context, new: tuple[str, ...], old: Mapping[str, int], reply: Reply) -> Steps[bool]:
    """Give the receipts for an acknowledged push, and settle if nobody else is about to; False if there are none."""
    if reply.image is None:
        return False
    acknowledged = reply.outcome is Outcome.OK
    received = acknowledged or Rule.RECEIPTS_FOR_ACKNOWLEDGED_PUSHES in context.off
    sequence = reply.image.sequence
    if received:
        first = sequence.size - len(new)
        acknowledge(context, {**old, **{event_id: seq for seq, event_id in enumerate(new, first)}})
    in_charge = len(sequence.pending) == len(new) or context.rng.random() < 0.2
    if in_charge and (acknowledged or Rule.SETTLE_ACKNOWLEDGED_PUSHES in context.off):
        yield from settle(context, sequence)
    return received


def settle(context: Context, image: Sequence | None = None, rounds: int = ROUNDS) -> Steps[None]:
    """Move pending entries into `events`, from a committed image and then from majority reads, until none is left."""
    session = Session()
    for _ in range(rounds):
        if image is None:
            reply = yield Read("sequences", session, Rule.SETTLE_COMMITTED_READS not in context.off)
            image = reply.image.sequence if reply.image else None
        if image is None:
            continue
        if not image.pending:
            return
        image = part_of(context, image)
        count = yield from store_prefix(context, image, session)
        if count:
            if count == len(image.pending) and context.rng.random() < 0.4:
                reply = yield trim_all(image, context.off, session)
                if reply.outcome is not Outcome.REFUSED:
                    image = None
                    continue
            reply = yield trim(image, count, context.off, session)
            if reply.image is not None and context.rng.random() < 0.5:
                yield from trim_stored(context, reply.image.sequence, session)
        image = None


def part_of(context: Context, image: Sequence) -> Sequence:
    """All of what an image has pending, or what is left of it after the first few entries: a block that is ours."""
    skip = context.rng.randrange(len(image.pending)) if context.rng.random() < 0.4 else 0
    return Sequence(image.size, image.settled + skip, image.pending[skip:], image.swept)


def trim_stored(context: Context, image: Sequence, session: Session) -> Steps[None]:
    """Trim what a majority read shows to be stored already. The image may be rolled back later, the events can't."""
    reply = yield Read("events", session, Rule.TRIM_COMMITTED_INSERTS not in context.off)
    if reply.image is None:
        return
    stored = [reply.image.events.get(seq) == event_id for seq, event_id in enumerate(image.pending, image.settled)]
    count = [*stored, False].index(False)
    if count:
        yield trim(image, count, context.off, session)


def store_prefix(context: Context, image: Sequence, session: Session) -> Steps[int]:
    """Insert the pending entries of an image in order, or only the first few; returns how many a majority has."""
    count = 0
    for seq, event_id in enumerate(image.pending, image.settled):
        if not (yield from store(context, seq, event_id, session)):
            break
        count += 1
        if context.rng.random() < 0.1:
            break
    return count


def store(context: Context, seq: int, event_id: str, session: Session) -> Steps[bool]:
    """Insert one event, with w:majority or with w:1, until a majority is known to have it; False if it gives up."""
    careless = Rule.TRIM_COMMITTED_INSERTS in context.off
    majority = context.rng.random() < 0.6 and not careless
    for _ in range(ROUNDS):
        reply = yield insert(seq, event_id, session, majority=majority)
        if reply.outcome is Outcome.OK and (majority or careless):
            return True
        if reply.outcome is Outcome.REFUSED and Rule.CONFIRM_DUPLICATES in context.off:
            return True
        reply = yield Read("events", session)
        if reply.image is not None and has_event(reply.image.events, seq, event_id):
            return True
    return False


def has_event(events: Mapping[int, str], seq: int, event_id: str) -> bool:
    """Whether the event is there; raises `ViolationError` if another one has its place, or it another place."""
    if events.get(seq) == event_id:
        return True
    if seq in events or event_id in events.values():
        raise ViolationError(f"settling {event_id} at seq {seq} meets {events}")
    return False
