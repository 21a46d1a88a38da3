"""Builds, runs every check and prints one line for each: `python -m tools.package_check CHECKOV`."""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from eventlog.console import run as run_command
from tools.package_check import imports, leaks, suppressions, template, weight, wildcards
from tools.package_check.build import ROOT, BuildError, build
from tools.package_check.result import Result


def main(checkov: Path) -> int:
    """Return the exit code: 1 if anything must be put right."""
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it warns of its own feature toggles
    try:
        return report(run(checkov))
    except (BuildError, suppressions.CheckovError) as error:
        print(error, file=sys.stderr)
        return 1


def report(results: Iterable[Result]) -> int:
    """Print each result as it comes; return 1 if any has a problem."""
    failed = 0
    for result in results:
        print(f"{'FAILED' if result.problems else 'ok':6}  {result.name:10} {result.figures}", flush=True)
        for problem in result.problems:
            failed = 1
            print(f"        - {problem}", flush=True)
    return failed


def run(checkov: Path) -> Iterator[Result]:
    """Yield the results of all checks; those of the template come first, as they need no build."""
    read = template.read(ROOT / "template.yaml")
    yield wildcards.check(read)
    yield suppressions.check(read, checkov)
    with TemporaryDirectory(prefix="eventlog-package-") as folder:
        for_lambda, host = Path(folder, "lambda"), Path(folder, "host")
        for_lambda.mkdir()
        host.mkdir()
        shipped, importable = build("lambda", for_lambda), build("host", host)
        yield weight.check({"Lambda": shipped, "this Python": importable}, read.functions)
        yield imports.check(importable, read.functions, imports.read_table())
        yield leaks.check([shipped.folder, ROOT / "template.yaml", ROOT / "samconfig.toml"])


if __name__ == "__main__":
    sys.exit(run_command(main, Path(sys.argv[1]).absolute()))
