"""``python -m tools.benchmarks [--quick] [names]``: runs them on a MongoDB of its own; all of them write a report."""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eventlog.console import run as run_command
from local.mongod.embedded import EmbeddedMongo
from tools.benchmarks import append, audit, cold_start, deployed, growth, http, http_reads, query, shards, stream, views
from tools.benchmarks.measure import BenchmarkReport, Run
from tools.benchmarks.report import BenchmarkOutcome, FailedBenchmark, text, write

# In the order they run: append is first, as it forks its writers, which must be done before any client has threads.
BENCHMARKS: dict[str, Callable[[Run], BenchmarkReport]] = {
    "append": append.run,
    "http": http.run,
    "http_reads": http_reads.run,
    "stream": stream.run,
    "query": query.run,
    "views": views.run,
    "growth": growth.run,
    "audit": audit.run,
    "shards": shards.run,
    "cold_start": cold_start.run,
    "deployed": deployed.run,
}
NOT_QUICK = {"views"}
"""What the short run leaves out, unless it is named: a browser and many visits."""
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
CACHE_GB = 4
"""Room for a million events with their indexes, as a database in use would have."""


def main() -> int:
    """Run the benchmarks that were asked for; return 1 if any failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 90 s, coarser, and nothing is written")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(BENCHMARKS)}; then nothing is written")
    arguments = parser.parse_args()
    # Only a whole, full run writes the page: one whose parts were measured at different times could not be compared.
    if unknown := sorted(set(arguments.names) - set(BENCHMARKS)):
        parser.error(f"no such benchmark: {', '.join(unknown)}")
    with (
        tempfile.TemporaryDirectory(prefix="eventlog-bench-") as folder,
        EmbeddedMongo(Path(folder) / "mongo", cache_gb=CACHE_GB) as mongo,
    ):
        run = Run(mongo.uri, Path(folder), arguments.quick)
        wanted = [name for name in BENCHMARKS if not (arguments.quick and name in NOT_QUICK)]
        outcomes = run_all(run, arguments.names or wanted)
        if not arguments.quick and not arguments.names:
            write(PAGE, "make bench", run, outcomes)
            print(f"Written: {PAGE.name} and its plots.")
    return int(any(isinstance(outcome, FailedBenchmark) for outcome in outcomes.values()))


def run_all(run: Run, names: Sequence[str]) -> dict[str, BenchmarkOutcome]:
    """Run benchmarks one after the other; one that fails does not stop the others."""
    outcomes: dict[str, BenchmarkOutcome] = {}
    for name in names:
        start = time.monotonic()
        try:
            outcomes[name] = BENCHMARKS[name](run)
        except Exception as error:
            logging.exception("%s failed", name)
            outcomes[name] = FailedBenchmark(f"{type(error).__name__}: {error}")
        print(text(name, outcomes[name]))
        print(f"({name}: {time.monotonic() - start:.0f} s)\n", flush=True)
    return outcomes


if __name__ == "__main__":
    sys.exit(run_command(main))
