"""Builds the artefacts with SAM, but not in `.aws-sam`, which may hold a build that is to be deployed."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
LAYER = "EventLogLayer"
Target = Literal["host", "lambda"]


class BuildError(Exception):
    """`sam build` failed; the text is its output."""


@dataclass(frozen=True, slots=True)
class BuildDirectory:
    """A build directory: the layer and each function in a folder of its own, named by its logical id."""

    folder: Path

    @property
    def layer(self) -> Path:
        """The layer's folder."""
        return self.folder / LAYER

    def python(self, code: str, function: str) -> subprocess.CompletedProcess[str]:
        """Run code with the standard library, the layer and one function on the path, in an empty environment."""
        path = [str(self.folder / function), str(self.layer / "python")]
        command = [sys.executable, "-I", "-S", "-B", "-c", f"import sys\nsys.path[:0] = {path}\n{code}"]
        return subprocess.run(command, check=False, capture_output=True, text=True, env={}, timeout=120)


def sam(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the SAM command line with this interpreter's directory first on PATH, as `make build` does."""
    here = Path(sys.executable).parent
    path = f"{here}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [here / "sam", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def build(target: Target, directory: Path, *arguments: str) -> BuildDirectory:
    """Build into an existing empty directory: for Lambda, or for this Python so that the result can be imported.

    Raises:
        BuildError: `sam build` failed.
    """
    # From a copy: a build for this machine must leave nothing behind in the sources, and bytecode there nothing in the
    # build.
    source, built = directory / "source", directory / "built"
    source.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, source)
    for name in ("functions", "layers"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = sam("build", *arguments, "--build-dir", str(built), cwd=source, EVENTLOG_BUILD_TARGET=target)
    if done.returncode != 0:
        raise BuildError(done.stderr)
    return BuildDirectory(built)
