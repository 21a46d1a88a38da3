"""Checks the size of the layer and of the functions' own artefacts against budgets."""

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from tools.package_check.build import BuildDirectory
from tools.package_check.result import Result

UNZIPPED = 60_000_000
"""Bytes of the layer's files with their bytecode: 52 MB at the time of writing, 17 of them cryptography with cffi.

Lambda allows 250 MiB for the function and all its layers. The budget is for something else: every start fetches and
unpacks the layer. 8 MB is room for new versions of what is in it, but not for another library unnoticed.
"""

ZIPPED = 20_000_000
"""Bytes of the layer as it is uploaded: 18 MB at the time of writing. Lambda's limit for a direct upload is 50 MB."""

FUNCTION = 12_000
"""Bytes of a function's own files: a handler with its routes has 9 kB at most; more code belongs to the layer."""

DASHBOARD = 430_000
"""Bytes of the dashboard beside the query function's handler: 410 kB at the time of writing, 145 of them for charts.

Only the query function has it, and reads it only when somebody opens the dashboard, so it is not part of the layer. A
browser fetches all of it at the first visit.
"""


def check(builds: Mapping[str, BuildDirectory], functions: Iterable[str]) -> Result:
    """Check builds, which are named by their purpose; ``functions`` are the folders of their handlers."""
    # A handler too heavy is so in every build; its problem is reported once.
    figures, problems = [], []
    for name, built in builds.items():
        unzipped, zipped = weigh(built.layer), _zipped(built.layer)
        figures.append(f"layer for {name} {_mb(unzipped)}, zipped {_mb(zipped)}")
        problems += _over(f"The layer for {name}", unzipped, UNZIPPED, "unzipped")
        problems += _over(f"The layer for {name}", zipped, ZIPPED, "zipped")
        problems += [problem for function in functions for problem in _heavy(built.folder / function)]
    own = [_own(built.folder / name) for built in builds.values() for name in functions]
    largest, dashboard = (max(sizes) for sizes in zip(*own, strict=True))
    figures.append(f"largest handler {largest / 1000:.1f} kB, dashboard {dashboard / 1000:.0f} kB")
    budget = f"budgets {_mb(UNZIPPED)}, {_mb(ZIPPED)}, {FUNCTION / 1000:.0f} kB and {DASHBOARD / 1000:.0f} kB"
    return Result("weight", f"{'; '.join(figures)}; {budget}", list(dict.fromkeys(problems)))


def weigh(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in files(folder))


def files(folder: Path) -> Iterator[Path]:
    """Return all files under a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _over(what: str, size: int, budget: int, how: str) -> list[str]:
    if size <= budget:
        return []
    remedy = "remove a dependency from layers/eventlog/pyproject.toml, or raise the budget beside this check"
    return [f"{what} is {_mb(size)} {how}, over its budget of {_mb(budget)}: {remedy} and say why."]


def _own(folder: Path) -> tuple[int, int]:
    """Return the bytes of a function's own files without the dashboard, and of the dashboard."""
    dashboard = weigh(folder / "dashboard")
    return weigh(folder) - dashboard, dashboard


def _heavy(folder: Path) -> list[str]:
    size, dashboard = _own(folder)
    problems = []
    if size > FUNCTION:
        problems.append(f"{folder.name} has {size} bytes of its own, over {FUNCTION}: move code into the layer.")
    if dashboard > DASHBOARD:
        problems.append(f"{folder.name} has a dashboard of {dashboard} bytes, over {DASHBOARD}: make it lighter.")
    return problems


def _zipped(folder: Path) -> int:
    with TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files(folder):
                archive.write(path, path.relative_to(folder))
        return target.tell()


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
