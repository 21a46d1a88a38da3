"""Checks what each function loads when it starts against the table beside this file."""

import json
import tomllib
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from tools.package_check.build import BuildDirectory
from tools.package_check.result import Result

TABLE = Path(__file__).with_name("imports.toml")
_LOADED = """
import json, app
def place(module):
    return getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
print(json.dumps([name for name, module in sys.modules.items() if place(module).startswith(tuple(sys.path[:2]))]))
"""

Needs = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a function loaded when it started: others' packages and our modules; or the last line of why it did not."""

    loaded: frozenset[str]
    failed: str = ""


def read_table(path: Path = TABLE) -> Needs:
    """Read the table: by a function's folder `packages`, modules of `eventlog`, and `like`, other parts that apply."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def check(built: BuildDirectory, functions: Mapping[str, str], needs: Needs) -> Result:
    """Check the functions of a build for this Python; ``functions`` has folder names by logical id."""
    return compare({name: start(built, logical_id) for logical_id, name in functions.items()}, needs)


def start(built: BuildDirectory, function: str) -> Loaded:
    """Start one function, by its logical id, from its artefacts alone."""
    done = built.python(_LOADED, function)
    if done.returncode != 0:
        return Loaded(frozenset(), done.stderr.strip().rpartition("\n")[2])
    return Loaded(frozenset(_named(json.loads(done.stdout))))


def compare(starts: Mapping[str, Loaded], needs: Needs) -> Result:
    """Hold what functions loaded, by the names of their folders, against the table."""
    # A function that does not start has no list of modules to compare. The table must fit exactly: what is loaded and
    # not listed costs every start, and what is listed and not loaded would hide the next such import.
    problems, figures = [], []
    for name, started in starts.items():
        if started.failed:
            problems.append(
                f"{name} does not start from its artefacts alone ({started.failed}): a start may need nothing that the "
                "layer lacks, and imports what Lambda's runtime has (boto3) only where it is used."
            )
            continue
        packages = sum("." not in found for found in started.loaded)
        figures.append(f"{name} {packages}/{len(started.loaded) - packages}")
        problems += _differences(name, started.loaded, _allowed(needs, name))
    known = {*starts, *(part for name in starts for part in _like(needs, name))}
    problems += [
        f"tools/package_check/{TABLE.name} has {part}, which is for no function: remove it."
        for part in needs
        if part not in known
    ]
    return Result("imports", f"packages/modules of eventlog at the start: {', '.join(figures)}", problems)


def _named(modules: list[str]) -> set[str]:
    """Return the names of others' top-level packages, and our own modules in full."""
    ours = {name for name in modules if name.startswith("eventlog.")}
    return ours | {name.partition(".")[0] for name in modules} - {"app", "eventlog"}


def _like(needs: Needs, name: str) -> list[str]:
    return needs.get(name, {}).get("like", [])


def _allowed(needs: Needs, name: str) -> set[str]:
    allowed: set[str] = set()
    for part in (needs.get(name, {}), *(needs[part] for part in _like(needs, name))):
        allowed |= {*part.get("packages", ())} | {f"eventlog.{module}" for module in part.get("eventlog", ())}
    return allowed


def _differences(name: str, loaded: Set[str], allowed: Set[str]) -> list[str]:
    more = [
        f"{name} loads {found} when it starts: import it where it is needed, or add it to "
        f"tools/package_check/{TABLE.name} if every start has to pay for it."
        for found in sorted(loaded - allowed)
    ]
    fewer = [
        f"{name} does not load {found} any more: remove it from tools/package_check/{TABLE.name}."
        for found in sorted(allowed - loaded)
    ]
    return more + fewer
