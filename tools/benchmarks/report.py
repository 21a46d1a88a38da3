"""Writes the report as Markdown with plots: what was measured, where, with which versions and by which command."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tools.benchmarks.measure import BenchmarkReport, Run, Table

_PACKAGES = ("pymongo", "fastapi", "pydantic")
_HEAD = """# Benchmarks

Written by `{command}`, not by hand. Each ratio is to the plain operation, measured alternately with ours in the same
run; it says more than the absolute figures, which are this machine's. **Bold** is what misses what is asked of it.

"""


@dataclass(frozen=True, slots=True)
class FailedBenchmark:
    """A benchmark that ended with an error."""

    reason: str


BenchmarkOutcome = BenchmarkReport | FailedBenchmark


def text(name: str, outcome: BenchmarkOutcome) -> str:
    """Return what a benchmark found, for the terminal."""
    if isinstance(outcome, FailedBenchmark):
        return f"{name} FAILED: {outcome.reason}\n"
    return "\n".join(f"{table.title}\n{table.note}\n{_aligned(table)}" for table in outcome.tables)


def write(page: Path, command: str, run: Run, outcomes: Mapping[str, BenchmarkOutcome]) -> None:
    """Write a page with all outcomes, and their plots into the folder of the same name beside it."""
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD.format(command=command), _markdown(environment(run))]
    for name, outcome in outcomes.items():
        parts += _section(name, outcome, folder.name)
    page.write_text("\n".join(part.rstrip() + "\n" for part in parts))
    for outcome in outcomes.values():
        for file, draw in ({} if isinstance(outcome, FailedBenchmark) else outcome.plots).items():
            draw(str(folder / file))


def environment(run: Run) -> Table:
    """Return the table of when, where and with what was measured."""
    # Absolute figures mean nothing without the machine. MongoDB says its version itself, as it is not a Python package.
    with run.client() as client:
        mongodb = client.server_info()["version"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in _PACKAGES)]
    return Table(
        "Where and with what",
        "",
        ["", ""],
        [
            ["Date", f"{datetime.now(UTC):%Y-%m-%d}"],
            ["Machine", machine],
            ["Kernel", f"{platform.system()} {platform.release()}"],
            ["Versions", ", ".join(versions)],
            ["MongoDB", f"{mongodb}, a replica set of one node on the same machine"],
        ],
    )


def _cpu() -> str:
    """Return the CPU's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _section(name: str, outcome: BenchmarkOutcome, folder: str) -> Iterator[str]:
    if isinstance(outcome, FailedBenchmark):
        yield f"## {name}: failed\n\n{outcome.reason}"
        return
    yield from map(_markdown, outcome.tables)
    for file in outcome.plots:
        yield f"![{Path(file).stem}]({folder}/{file})"


def _markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *table.rows]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n\n".join(filter(None, [f"## {table.title}", table.note, "\n".join(lines)]))


def _aligned(table: Table) -> str:
    rows: list[Sequence[str]] = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join("  ".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)
