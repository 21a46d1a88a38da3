"""The random walk: a seed decides who takes the next step and what fails, so every run can be played again.

One run: a few writers (some share ids chosen by clients, alone and in batches, as retries do), settlers and a reader,
each started at some time and crashed at any. Each step is one of: a database request, an acknowledgement, a
replication, a failover, the late application of a write of which its sender heard nothing, or only an error that leaves
it in flight. How often each failure occurs is drawn anew for each run, so that some runs are calm and others wild. In
the end everyone is stopped, in-flight writes land or are lost, and a last settle runs without failures.
"""

from collections.abc import Iterable
from itertools import count
from random import Random
from typing import NamedTuple

from tests.model.invariants import History, ViolationError
from tests.model.protocol import CLOCK, append_chosen, append_in_turn, append_made, query, settle, sweep
from tests.model.replica_set import Applied, Change, ReplicaSet
from tests.model.requests import Context, Outcome, Read, Reply, Rule, Steps, Write, describe

MAX_STEPS = 600


class Rates(NamedTuple):
    """How likely each kind of step or failure is in this run."""

    replicate: float
    failover: float = 0.0
    crash: float = 0.0
    failure: float = 0.0
    land: float = 0.0
    start: float = 1.0

    @classmethod
    def draw(cls, rng: Random) -> "Rates":
        """Choose a calm or a wild run."""
        return cls(
            replicate=rng.choice((0.05, 0.2, 0.5)),
            failover=rng.choice((0.0, 0.01, 0.04)),
            crash=rng.choice((0.0, 0.01, 0.03)),
            failure=rng.choice((0.0, 0.05, 0.2)),
            land=rng.choice((0.02, 0.1)),
            start=rng.choice((0.03, 0.1, 0.5)),
        )


class Process:
    """A running process with its outstanding request; `applied` is set while a write waits for its majority."""

    def __init__(self, name: str, steps: Steps[None]) -> None:
        self.name = name
        self.steps = steps
        self.request: Read | Write = next(steps)
        self.applied: Applied | None = None


class Walk:
    """One run of the model; `trace` gets a line for each step if it is given."""

    def __init__(
        self,
        seed: int,
        off: Iterable[Rule] = (),
        trace: list[str] | None = None,
        rates: Rates | None = None,
        *,
        sweeps: bool = True,
    ) -> None:
        self.sweeps = sweeps
        self.rng = Random(seed)
        self.rates = rates or Rates.draw(self.rng)
        self.database = ReplicaSet(self.rng, self.rng.choice((0.0, 0.3, 0.8)))
        self.history = History()
        self.context = Context(self.rng, self.history, frozenset(off), {}, count())
        self.in_flight: list[tuple[str, Change]] = []
        self.trace = trace
        self.to_start = self._cast()
        self.running: list[Process] = []

    def _cast(self) -> list[tuple[str, Steps[None]]]:
        """Choose who takes part, in the order of starting."""
        rng, context = self.rng, self.context
        cast: list[tuple[str, Steps[None]]] = [("reader", query(context, 6))]
        for number in range(rng.randint(2, 5)):
            ids = rng.choice(("x", "x", "y", "xy", "yxz"))
            cast.append((f"writer{number}-{ids}", append_chosen(context, tuple(ids))))
        for _ in range(rng.randint(0, 2)):
            cast.append((f"writer{len(cast)}-wx", append_in_turn(context, ("w", "x"))))
        for number in range(rng.randint(0, 3)):
            cast.append((f"maker{number}", append_made(context, f"m{number}")))
        for number in range(rng.randint(0, 3)):
            cast.append((f"settler{number}", settle(context)))
        for number in range(rng.randint(0, 2) if self.sweeps else 0):
            cast.append((f"sweeper{number}", sweep(context, rng.randint(1, CLOCK))))
        rng.shuffle(cast)
        return cast

    def run(self) -> int:
        """Walk to the end and return the number of steps; raises `ViolationError` where an invariant fails."""
        steps = 0
        while (self.running or self.to_start) and steps < MAX_STEPS:
            self._step()
            steps += 1
        self._finish()
        return steps

    def _step(self) -> None:
        rng, rates = self.rng, self.rates
        if rng.random() < rates.failover:
            self._note("failover", f"loses {self.database.failover()}")
        elif self.in_flight and rng.random() < rates.land:
            self._land()
        elif rng.random() < rates.replicate:
            self.database.replicate()
            self._note("replication", f"to {self.database.committed}")
        elif self.to_start and (not self.running or rng.random() < rates.start):
            self.running.append(Process(*self.to_start.pop()))
        elif self.running:
            self._advance(rng.choice(self.running))
        self._check()

    def _advance(self, process: Process) -> None:
        """Let a process take one step, or crash; a crashed writer's request may still land."""
        if self.rng.random() < self.rates.crash:
            self.running.remove(process)
            self._note(process.name, "crashes")
            if isinstance(process.request, Write) and process.applied is None and self.rng.random() < 0.5:
                self.in_flight.append((process.request.name, process.request.change))
            return
        reply = self._serve(process)
        if reply is None:
            return
        self._note(process.name, describe(process.request, reply))
        process.applied = None
        try:
            process.request = process.steps.send(reply)
        except StopIteration:
            self.running.remove(process)

    def _serve(self, process: Process) -> Reply | None:
        """Answer the outstanding request; None if it has to wait."""
        request = process.request
        if isinstance(request, Read):
            return self._read(request)
        if process.applied is not None:
            return self._await_majority(request, process.applied)
        return self._write(process, request)

    def _write(self, process: Process, request: Write) -> Reply | None:
        """Try to apply a write; with w:majority an applied one then waits."""
        if self.rng.random() < self.rates.failure:
            return self._fail_write(request)
        if self.database.deposed and self.rng.random() < self.rates.failure:
            return self._ask_deposed(request)
        applied = self.database.write(request.change)
        request.session.saw(self.database.time)
        if applied is None:
            return Reply(Outcome.REFUSED)
        if not request.majority:
            return Reply(Outcome.OK, applied.entry.state)
        process.applied = applied
        self._note(process.name, f"{request.name} applied at {applied.position}")
        return None

    def _read(self, request: Read) -> Reply | None:
        if self.rng.random() < self.rates.failure:
            return Reply(Outcome.SILENCE)
        database = self.database
        entry = database.majority_read(request.session.after) if request.majority else database.local_read()
        if entry is None:
            return None
        request.session.saw(entry.time)
        return Reply(Outcome.OK, entry.state)

    def _fail_write(self, request: Write) -> Reply:
        """Fail before, after or long before the write is applied; of the last three a router may tell, or nobody."""
        kind = self.rng.randrange(4)
        if kind == 0:
            return Reply(Outcome.ERROR)
        if kind == 1:
            self.in_flight.append((request.name, request.change))
        elif kind == 2:
            applied = self.database.write(request.change)
            self._note("database", f"{request.name} {'applied' if applied else 'refused'}, the reply is lost")
        return Reply(self.rng.choice((Outcome.OPEN, Outcome.SILENCE)))

    def _ask_deposed(self, request: Write) -> Reply:
        """Let a primary answer that has been deposed: w:1 it acknowledges, a majority it never gets."""
        image = self.database.write_to_deposed(request.change)
        if image is None:
            return Reply(Outcome.REFUSED)
        return Reply(Outcome.ERROR if request.majority else Outcome.OK, image)

    def _await_majority(self, request: Write, applied: Applied) -> Reply | None:
        """Acknowledge a committed write; report another as failed, with its post-image, after a failover or timeout."""
        database, rng = self.database, self.rng
        if database.has_committed(applied) and rng.random() >= self.rates.failure:
            request.session.saw(applied.entry.time)
            return Reply(Outcome.OK, applied.entry.state)
        if applied.term == database.term and rng.random() >= self.rates.failure:
            return None
        request.session.saw(applied.entry.time)
        if rng.random() < 0.4:
            return Reply(rng.choice((Outcome.OPEN, Outcome.SILENCE)))
        return Reply(Outcome.ERROR, applied.entry.state)

    def _land(self) -> None:
        """Apply or lose a write that was in flight while its sender was told nothing of it, or an error."""
        name, change = self.in_flight.pop(self.rng.randrange(len(self.in_flight)))
        if self.rng.random() < 0.8:
            self._note("network", f"{name} lands late: {'applied' if self.database.write(change) else 'refused'}")

    def _finish(self) -> None:
        self._note("end", "everyone stops")
        while self.in_flight:
            self._land()
        if self.rng.random() < 0.3:
            self._note("failover", f"loses {self.database.failover()}")
        self.database.replicate_all()
        self.database.stale_reads = 0.0
        self.rates = Rates(replicate=1.0)
        self.running = [Process("last settler", settle(self.context, rounds=100))]
        while self.running:
            self._advance(self.running[0])
            self.database.replicate_all()
        self._check(final=True)

    def _check(self, *, final: bool = False) -> None:
        self.history.check(self.database.log[self.database.committed].state, final=final)

    def _note(self, who: str, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{len(self.trace):4} {who:14} {what}")


def play(seed: int, off: Iterable[Rule] = ()) -> int:
    """Run one seed and return its steps; a violation is raised again with the seed and the trace of every step."""
    try:
        return Walk(seed, off).run()
    except ViolationError:
        trace: list[str] = []
        try:
            Walk(seed, off, trace).run()
        except ViolationError as error:
            raise ViolationError("\n".join([f"seed {seed}: {error}", *trace])) from None
        raise
