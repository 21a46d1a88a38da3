"""Build, run every check, and say in one line each what was found: `python -m package_check CHECKOV`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from package_check import imports, leaks, suppressions, template, weight, wildcards
from package_check.build import ROOT, BuildError, build
from package_check.result import Result


def main(checkov: Path) -> int:
    """Exit code 1 if anything has to be put right."""
    problems = 0
    try:
        for result in _results(checkov):
            problems += len(result.problems)
            print(f"{'FAILED' if result.problems else 'ok':6}  {result.name:10}  {result.figures}", flush=True)
            print(*(f"        - {problem}\n" for problem in result.problems), sep="", end="", flush=True)
    except (BuildError, suppressions.CheckovError) as error:
        print(error, file=sys.stderr)
        return 1
    return min(problems, 1)


def _results(checkov: Path) -> Iterator[Result]:
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
    sys.exit(main(Path(sys.argv[1])))
