"""Checks what each function loads when it starts against the table beside this file."""

import json
import tomllib
from collections.abc import Mapping
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


def read_table(path: Path = TABLE) -> Needs:
    """Read the table: by a function's folder `packages`, modules of `eventlog`, and `like`, other parts that apply."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def check(built: BuildDirectory, functions: Mapping[str, str], needs: Needs) -> Result:
    """Check the functions of a build for this Python; ``functions`` has folder names by logical id."""
    # A function that does not start has no list of modules to compare. The table must fit exactly: what is loaded and
    # not listed costs every start, and what is listed and not loaded would hide the next such import.
    problems, figures = [], []
    for logical_id, name in functions.items():
        done = built.python(_LOADED, logical_id)
        if done.returncode != 0:
            last = done.stderr.strip().rpartition("\n")[2]
            problems.append(
                f"{name} does not start from its artefacts alone ({last}): a start may need nothing that the layer "
                "lacks, and imports what Lambda's runtime has (boto3) only where it is used."
            )
            continue
        loaded = _named(json.loads(done.stdout))
        figures.append(f"{name} {sum('.' not in found for found in loaded)}/{sum('.' in found for found in loaded)}")
        problems += _differences(name, loaded, _allowed(needs, name))
    known = {*functions.values(), *(part for name in functions.values() for part in _like(needs, name))}
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


def _differences(name: str, loaded: set[str], allowed: set[str]) -> list[str]:
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
