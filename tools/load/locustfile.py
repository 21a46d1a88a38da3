"""What locust runs, in a process of its own because of gevent; ``python -m tools.load`` starts it."""

import os
from pathlib import Path
from random import Random
from typing import Any

from locust import User, between, constant, events, task
from locust.env import Environment

from tools.load.appends import Appends
from tools.load.exchange import Exchange, Shared
from tools.load.figures import PERCENTILES, Figures, Route, write
from tools.load.ledger import Ledger
from tools.load.mix import Mix
from tools.load.reads import Reads

RUN = os.environ["LOAD_RUN"]
FOLDER = Path(os.environ["LOAD_FOLDER"])
_rng = Random(RUN)  # noqa: S311  no secret
_shared = Shared(Ledger(FOLDER / "ledger"), Mix(_rng, [f"load.{RUN}.{number}" for number in range(4)]), _rng)


class Client(User):
    """A client of the log with connections of its own."""

    abstract = True

    def on_start(self) -> None:
        """Open the connections of this client."""
        self._exchange = Exchange(str(self.host), os.environ.get("TOKEN"), self._report)
        self.appends = Appends(self._exchange, _shared)
        self.reads = Reads(self._exchange, _shared)

    def on_stop(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def _report(self, method: str, name: str, millis: float, size: int, wrong: str | None) -> None:
        self.environment.events.request.fire(
            request_type=method, name=name, response_time=millis, response_length=size, exception=wrong, context={}
        )


class Application(Client):
    """Logs events, and reads what it logged."""

    wait_time = between(0.05, 0.25)

    def on_start(self) -> None:
        """Begin with one of each of the main requests, so that the shortest run has them all on the slowest machine."""
        super().on_start()
        self.appends.batch()
        self.appends.own_id()
        self.appends.single()
        self.reads.query()

    @task(30)
    def append(self) -> None:
        """Append an event without an id."""
        self.appends.single()

    @task(20)
    def append_own_id(self) -> None:
        """Append an event with an id."""
        self.appends.own_id()

    @task(8)
    def append_cloudevent(self) -> None:
        """Append a CloudEvent."""
        self.appends.cloudevent()

    @task(8)
    def append_queued(self) -> None:
        """Append an event through the queue."""
        self.appends.queued()

    @task(6)
    def replay(self) -> None:
        """Append an acknowledged event again."""
        self.appends.replay()

    @task(4)
    def append_batch(self) -> None:
        """Append a batch."""
        self.appends.batch()

    @task(10)
    def look_up(self) -> None:
        """Get an event by its id."""
        self.reads.look_up()

    @task(6)
    def query(self) -> None:
        """Query by type."""
        self.reads.query()

    @task(3)
    def query_by_seq(self) -> None:
        """Query by seq."""
        self.reads.query_by_seq()

    @task(3)
    def prove(self) -> None:
        """Have an event proven."""
        self.reads.prove()

    @task(1)
    def prove_consistency(self) -> None:
        """Have consistency proven."""
        self.reads.prove_consistency()

    @task(1)
    def show_chain(self) -> None:
        """Show a chain."""
        self.reads.show_chain()


class AuditingUser(Client):
    """Audits a chain now and then."""

    fixed_count = 1
    wait_time = constant(3)

    def on_start(self) -> None:
        """Log something, so that there is a chain to audit, and audit it: the shortest run has that too."""
        super().on_start()
        self.appends.batch()
        self.reads.audit()

    @task
    def audit(self) -> None:
        """Audit a chain."""
        self.reads.audit()


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def find_queue(environment: Environment, **_: Any) -> None:
    """Find out before the load whether the log has a queue; a refusal is an answer here, not an error of the run."""
    exchange = Exchange(str(environment.host), os.environ.get("TOKEN"), lambda *_: None)
    Appends(exchange, _shared).find_queue()
    exchange.close()


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def keep_figures(environment: Environment, **_: Any) -> None:
    """Write the measurements for the process that started this one."""
    stats = environment.stats
    routes = [
        Route(
            name,
            entry.num_requests,
            {f"p{percent}": round(entry.get_response_time_percentile(percent / 100)) for percent in PERCENTILES},
            {str(found.error): found.occurrences for found in stats.errors.values() if found.name == name},
        )
        for (name, _), entry in sorted(stats.entries.items())
    ]
    write(FOLDER / "figures", Figures((stats.last_request_timestamp or 0) - stats.start_time, routes))
