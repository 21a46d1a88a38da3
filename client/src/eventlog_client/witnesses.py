"""Whether a checkpoint has the cosignatures that the user's policy asks for; the log's word counts for nothing here."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from eventlog.formats.cosignature import verify_cosignatures
from eventlog.formats.note import parse_note
from eventlog.formats.policy import Policy
from eventlog.formats.quorum import missing
from eventlog.formats.times import format_time
from eventlog_client.errors import NotWitnessedError, UnreachableError

FUTURE_SECONDS = 300
"""How far a witness's clock may be ahead of this one."""
POLL_SECONDS = 1.0
PATIENCE = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between looks at a checkpoint that lacks a quorum: witnesses are asked after it was signed, 20 s at most."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A note that has its quorum: who cosigned it, by the names in the policy, and when (seconds since 1970)."""

    note: bytes
    times: dict[str, int]

    def sentence(self) -> str:
        """Say who has cosigned, and when."""
        if not self.times:
            return "Witnessed: by nobody, and the policy asks for nobody."
        each = (f"{name} at {_shown(seconds)}" for name, seconds in self.times.items())
        return f"Witnessed: by {', '.join(each)}."

    def fields(self) -> dict[str, str]:
        """Return the times as JSON."""
        return {name: _shown(seconds) for name, seconds in self.times.items()}


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What is asked for: a policy's quorum and, with ``max_age``, of cosignatures that are no older (in seconds)."""

    policy: Policy
    max_age: float | None = None
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def check(self, data: bytes) -> Witnessed:
        """Check the cosignatures of a checkpoint, whose own signature the caller checks.

        Raises:
            EvidenceError: a cosignature of a witness of the policy is wrong.
            NotWitnessedError: there is no quorum; the text says what is missing.
        """
        names = {each.key: each.name for each in self.policy.witnesses}
        found = {names[each.key]: each.time for each in verify_cosignatures(parse_note(data), names)}
        outside = {name: why for name, seconds in found.items() if (why := self._outside(seconds))}
        lack = missing(self.policy, found.keys() - outside.keys())
        if lack is not None:
            raise NotWitnessedError("; ".join([lack, *(f"the line of {name} {why}" for name, why in outside.items())]))
        return Witnessed(data, {name: seconds for name, seconds in found.items() if name not in outside})

    def check_again(self, note: str, again: Callable[[], str]) -> Witnessed:
        """Check the cosignatures as ``check`` does; if there are too few, look for some seconds whether more come.

        Raises:
            EvidenceError: a cosignature of a witness of the policy is wrong.
            NotWitnessedError: after some seconds there is still no quorum.
        """
        data = note.encode()
        text = parse_note(data).text
        for seconds in PATIENCE:
            try:
                return self.check(data)
            except NotWitnessedError:
                self.sleep(seconds)
            # Whoever waits for a log that is away for a moment waits here too; it is told to go on by what was shown.
            with suppress(UnreachableError):
                shown = again().encode()
                data = shown if parse_note(shown).text == text else data
        return self.check(data)

    def _outside(self, seconds: int) -> str | None:
        if self.max_age is None:
            return None
        age = self.clock() - seconds
        if age > self.max_age:
            return f"is {age:.0f} s old"
        return f"is {-age:.0f} s in the future" if -age > FUTURE_SECONDS else None


def _shown(seconds: int) -> str:
    try:
        return format_time(seconds * 1000)
    except ValueError:
        return f"{seconds} s"
