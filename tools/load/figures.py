"""The measurements: a file from the process that sends the load to the one that reports it."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.load.exchange import TOLERATED

PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request: how many, milliseconds at three percentiles, and how often each error."""

    name: str
    requests: int
    millis: dict[str, int]
    errors: dict[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """A run's requests."""

    seconds: float
    routes: list[Route]

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(route.requests for route in self.routes)

    @property
    def errors(self) -> Counter[str]:
        """All errors by kind."""
        return sum((Counter(route.errors) for route in self.routes), Counter())

    def failures(self) -> list[str]:
        """Return the errors that no client should have to handle."""
        return [
            f"{count} times {error} to {route.name}"
            for route in self.routes
            for error, count in route.errors.items()
            if error not in TOLERATED
        ]


def write(path: Path, figures: Figures) -> None:
    """Write the figures of a run."""
    path.write_text(json.dumps(asdict(figures)))


def read(path: Path) -> Figures:
    """Read the figures of a run."""
    found = json.loads(path.read_text())
    return Figures(found["seconds"], [Route(**route) for route in found["routes"]])
