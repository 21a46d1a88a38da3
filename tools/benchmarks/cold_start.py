"""The cost of a cold start: each function's imports compared with the least it could import, and the layer's weight."""

import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from tools.benchmarks.measure import BenchmarkReport, Run, Table, alternately, judged, ratio

ROOT = Path(__file__).parents[2]
FUNCTIONS = {
    "ingest": "IngestFunction",
    "query": "QueryFunction",
    "stream": "StreamFunction",
    "chain_audit": "ChainAuditFunction",
    "ingest_queue": "IngestQueueFunction",
    "erase": "EraseFunction",
    "witness": "WitnessFunction",
}
FLOOR, HANDLER = "import fastapi, mangum, orjson, pymongo, uuid_utils", "import app"
UNCOLLECTED = f"import gc; gc.disable(); {FLOOR}"
CEILING = 1.25
_MARK = "-- the imports --"
_PROBE = f"""
import time
print({_MARK!r}, file=sys.stderr)
wall, cpu = time.perf_counter(), time.process_time()
{{imports}}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
_IMPORTED = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", re.MULTILINE)
_STANDARD = "the standard library"


@dataclass(frozen=True, slots=True)
class Start:
    """One fresh interpreter: milliseconds of the imports, of their CPU time, and of the whole process."""

    wall: float
    cpu: float
    process: float


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What ``sam build`` makes, here for this Python: the layer, and a folder for each function."""

    layer: Path
    functions: Path

    def python(self, code: str, function: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run code with nothing but the standard library and these artefacts on the path, in an empty environment."""
        path = [str(self.functions / function), str(self.layer / "python")]
        command = [sys.executable, "-I", "-S", "-B", *options, "-c", f"import sys\nsys.path[:0] = {path}\n{code}"]
        return subprocess.run(command, check=True, capture_output=True, text=True, env={})

    def start(self, imports: str, function: str = "ingest") -> Start:
        """Time the imports in a fresh interpreter."""
        started = time.perf_counter()
        done = self.python(_PROBE.format(imports=imports), function)
        process = time.perf_counter() - started
        wall, cpu = map(float, done.stdout.split())
        return Start(wall * 1000, cpu * 1000, process * 1000)

    def packages(self, imports: str, function: str = "ingest") -> Counter[str]:
        """Return the microseconds that each top-level package takes by itself; the standard library counts as one."""
        done = self.python(_PROBE.format(imports=imports), function, "-X", "importtime")
        found: Counter[str] = Counter()
        for micros, name in _IMPORTED.findall(done.stderr.partition(_MARK)[2]):
            found[_STANDARD if name in sys.stdlib_module_names else name] += int(micros)
        return found

    def without_bytecode(self) -> "Artefacts":
        """Make a copy of the layer that has sources only, beside the layer."""
        copy = self.layer.with_name("sources")
        shutil.copytree(self.layer, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return Artefacts(copy, self.functions)


def build(folder: Path) -> Artefacts:
    """Build the artefacts in a folder for this Python, by the steps that ``sam build`` runs; once in each run."""
    built = Artefacts(folder / "layer", folder / "functions")
    if folder.exists():
        return built
    _make(ROOT / "layers/eventlog/src", "EventLogLayer", built.layer)
    for name, logical_id in FUNCTIONS.items():
        _make(ROOT / "functions" / name, logical_id, built.functions / name)
    return built


def _make(source: Path, logical_id: str, target: Path) -> None:
    target.mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "ARTIFACTS_DIR": str(target), "EVENTLOG_BUILD_TARGET": "host"}
    command = ["make", "--silent", "-C", str(source), f"build-{logical_id}"]
    subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | settings)


def run(run: Run) -> BenchmarkReport:
    """Measure starts, packages and weight; no database is needed."""
    built = build(run.folder / "built")
    return BenchmarkReport([_starts(built, run.quick), _packages(built, run.quick), _weight(built, run.quick)])


def _starts(built: Artefacts, quick: bool) -> Table:
    # CPU time is compared, as it varies less than wall time. Only ingest is judged: it has what every function has.
    rounds, ceiling = (3, None) if quick else (5, CEILING)
    handlers = {name: partial(built.start, HANDLER, name) for name in FUNCTIONS}
    floors = {"floor": partial(built.start, FLOOR), "floor, no collection": partial(built.start, UNCOLLECTED)}
    found = alternately(rounds, floors | handlers)
    cpu = {name: [start.cpu for start in starts] for name, starts in found.items()}
    cells = {name: [judged(ratio(ours, cpu[floor])) for floor in floors] for name, ours in cpu.items()}
    cells["ingest"][0] = judged(ratio(cpu["ingest"], cpu["floor"]), ceiling=ceiling)
    return Table(
        "Cold start: imports",
        f"Milliseconds in fresh interpreters that have only the built artefacts on their path, in turn, {rounds} "
        f"rounds, medians. The floor is `{FLOOR}` (pydantic comes with FastAPI, bson with PyMongo): no route, no "
        "model, nothing of ours, no logger, no settings. What every request needs is imported at the start and not "
        "put off to the first request. Handlers put off garbage collection until they have started, so a floor "
        "without any stands beside the plain one. Bytecode is as in the shipped layer, files are in the page cache: "
        "Lambda's own start, and fetching the layer, come on top. The ratio is of CPU time.",
        ["", "imports", "their CPU time", "whole process", *(f"to the {floor}" for floor in floors)],
        [[name, *_medians(starts), *cells[name]] for name, starts in found.items()],
    )


def _medians(starts: Sequence[Start]) -> list[str]:
    columns = zip(*((start.wall, start.cpu, start.process) for start in starts), strict=True)
    return [f"{median(column):.0f}" for column in columns]


def _packages(built: Artefacts, quick: bool) -> Table:
    # Medians for each package, in the order of what ingest pays for; what is not shown is summed up in one row.
    rounds, shown = (1, 10) if quick else (3, 14)
    handlers = {name: partial(built.packages, HANDLER, name) for name in FUNCTIONS}
    found = alternately(rounds, {"floor": partial(built.packages, FLOOR), **handlers})
    middle = {name: _middle(counts) for name, counts in found.items()}
    names = [name for name, _ in middle["ingest"].most_common(shown)]
    rows = [[name, *(f"{times[name] / 1000:.1f}" for times in middle.values())] for name in names]
    others = [sum(times.values()) - sum(times[name] for name in names) for times in middle.values()]
    rows.append(["all others", *(f"{micros / 1000:.1f}" for micros in others)])
    rows.append(["in all", *(f"{sum(times.values()) / 1000:.0f}" for times in middle.values())])
    return Table(
        "Cold start: packages",
        f"Milliseconds that each top-level package takes by itself (`-X importtime`, which slows it), medians of "
        f"{rounds}. Routes are part of `eventlog`.",
        ["", *middle],
        rows,
    )


def _middle(counts: Sequence[Counter[str]]) -> Counter[str]:
    names = {name for count in counts for name in count}
    return Counter({name: int(median(count[name] for count in counts)) for name in names})


def _weight(built: Artefacts, quick: bool) -> Table:
    # Bytecode makes the layer larger and the start faster: both sides of that choice are measured.
    rounds = 1 if quick else 3
    both = {"as shipped": built, "without bytecode": built.without_bytecode()}
    starts = alternately(rounds, {name: partial(artefacts.start, HANDLER) for name, artefacts in both.items()})
    folders = [artefacts.layer / "python" for artefacts in both.values()]
    largest = sorted(filter(Path.is_dir, folders[0].iterdir()), key=weigh, reverse=True)[:6]
    rows = [
        ["all, zipped (MB)", *(f"{_zipped(folder) / 1e6:.1f}" for folder in folders)],
        ["all, unzipped (MB)", *(f"{weigh(folder) / 1e6:.1f}" for folder in folders)],
        *([f"{big.name} (MB)", *(f"{weigh(folder / big.name) / 1e6:.1f}" for folder in folders)] for big in largest),
        ["imports of ingest (ms)", *(f"{median(start.wall for start in found):.0f}" for found in starts.values())],
    ]
    return Table(
        "The layer's weight",
        "The layer built for this Python; native code differs a little on Lambda. Left out: boto3, botocore and what "
        "only they need (python-dateutil, six, urllib3), which the runtime has; scripts; the functions' own files, "
        "4 kB each.",
        ["", *both],
        rows,
    )


def weigh(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _zipped(folder: Path) -> int:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder.parent))
    return target.stat().st_size
