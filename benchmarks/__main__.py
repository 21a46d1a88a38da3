"""``python -m benchmarks [--quick] [names]``: runs them against a MongoDB of its own and writes docs/benchmarks.md."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import append, audit
from benchmarks.measure import Report, Run
from local.mongod import EmbeddedMongo

BENCHMARKS: dict[str, Callable[[Run], Report]] = {"append": append.run, "audit": audit.run}


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under 90 s, coarser, and nothing is written")
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(BENCHMARKS)}; default: all")
    arguments = parser.parse_args()
    names = arguments.names or list(BENCHMARKS)
    with tempfile.TemporaryDirectory(prefix="eventlog-bench-") as folder, EmbeddedMongo(Path(folder)) as mongo:
        for name in names:
            report = BENCHMARKS[name](Run(mongo.uri, arguments.quick))
            for table in report.tables:
                print(table.title, table.note, sep="\n")
                for row in [table.columns, *table.rows]:
                    print(" | ".join(row))


if __name__ == "__main__":
    main()
