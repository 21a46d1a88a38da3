"""What is known of witnesses, and what follows from it: whom to ask when, and how much of a chain is witnessed.

On values alone: ``witness_round.py`` asks and keeps.
"""

from collections.abc import Iterable
from dataclasses import replace

from eventlog.audit.report import WitnessSummary
from eventlog.formats.policy import Policy, PolicyWitness
from eventlog.formats.quorum import missing
from eventlog.formats.times import MAX_MILLIS
from eventlog.stored.witness_records import WitnessRecord
from eventlog.witnessing.asking import CosigningOutcome

_MINUTE = 60_000
LONGEST_WAIT = 60 * _MINUTE
"""A witness that does not cosign is asked again after 1, 2, 4 ... minutes, and at last after so long."""
_SHOWN = 200


def is_due(record: WitnessRecord, now: int, *, has_line: bool, fresh_millis: int) -> bool:
    """Return whether a witness is to be asked: for an anchor that lacks its line, or since it was asked long ago.

    ``now`` and ``fresh_millis``: milliseconds.
    """
    # Whoever can write to the database may have put any times there: one further ahead than any wait is not believed.
    if now < record.next_try <= now + LONGEST_WAIT:
        return False
    asked = record.asked_at if record.asked_at is not None and record.asked_at <= now else None
    return not has_line or asked is None or now - asked >= fresh_millis


def after(before: WitnessRecord, outcome: CosigningOutcome, size: int, now: int) -> WitnessRecord:
    """Return what is known after a witness was asked to cosign a tree of ``size`` at ``now``, in milliseconds."""
    # What it has shown against the log stays until it cosigns: then it holds a tree that this one extends.
    since = before.since if outcome.state == before.state else now
    found = replace(before, state=outcome.state, since=since, detail=outcome.detail[:_SHOWN], asked_at=now)
    if outcome.state == "cosigning":
        found = replace(found, failures=0, next_try=0, evidence=None)
        if outcome.time is None:  # it holds a larger tree than the one that it was asked for, and of this chain
            return found
        return replace(found, size=size, time=min(outcome.time * 1000, MAX_MILLIS))
    failures = before.failures + 1
    # A log that a witness does not know is made known by a person.
    wait = LONGEST_WAIT if outcome.state == "unknown" else min(_MINUTE << min(failures - 1, 6), LONGEST_WAIT)
    shown = before.evidence if outcome.shown is None else outcome.shown.decode()
    return replace(found, failures=failures, next_try=now + wait, evidence=shown)


def witnessed_size(policy: Policy, records: Iterable[WitnessRecord]) -> int | None:
    """Return how many events stand in trees that a quorum has cosigned; None: no quorum has, or none is asked for.

    Each of them has cosigned a tree that extends this one, if not this very one.
    """
    if policy.quorum is None:
        return None
    sizes = {record.witness: record.size for record in records if record.size}
    reached = (
        size
        for size in sorted(set(sizes.values()), reverse=True)
        if missing(policy, {name for name, its in sizes.items() if its >= size}) is None
    )
    return next(reached, None)


def summary(record: WitnessRecord) -> WitnessSummary:
    """Return what a report says of a witness."""
    return WitnessSummary(record.witness, record.size, record.time, record.state, record.since, record.detail)


def of_policy(policy: Policy, chain: str, found: Iterable[WitnessRecord], now: int) -> list[WitnessRecord]:
    """Return what is known of each witness that is asked, for a chain; of one that was never asked, that."""
    known = {record.witness: record for record in found if record.chain == chain}
    names = [witness.name for witness in asked(policy)]
    return [known.get(name) or WitnessRecord(chain=chain, witness=name, since=now) for name in names]


def asked(policy: Policy) -> list[PolicyWitness]:
    """Return the witnesses that are asked: those with an address. Others are in a policy for verifiers alone."""
    return [witness for witness in policy.witnesses if witness.url is not None]
