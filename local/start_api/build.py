"""Builds what is served: the artefacts of `sam build`, and the packages that Lambda's own image has."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import samcli  # type: ignore[import-untyped]
from packaging.requirements import Requirement

from local.machine import LocalError

ROOT = Path(__file__).parents[2]
IMAGE = ("awslambdaric", "boto3")
EMULATORS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}


def emulator() -> Path:
    """Return the path of AWS's Runtime Interface Emulator, which comes with the SAM command line.

    Raises:
        LocalError: there is none for this machine.
    """
    name = EMULATORS.get(platform.machine()) if sys.platform == "linux" else None
    if name is None:
        raise LocalError(
            "AWS's Runtime Interface Emulator is for Linux on x86-64 or arm64 only: run this there (in a virtual "
            "machine, or in WSL on Windows), or use `make run`, which needs none."
        )
    return Path(samcli.__file__).parent / "local" / "rapid" / name


def build(folder: Path) -> Path:
    """Build a copy of the sources; return the template of the result.

    It is built for the Python that runs here, unless that is Lambda's version: then it is built as for deployment.

    Raises:
        LocalError: `sam build` failed; the text is its output.
    """
    # A copy, as bytecode may appear and disappear in the original folders while SAM reads them.
    source, built = folder / "source", folder / "build"
    source.mkdir()
    for name in ("template.yaml", "samconfig.toml"):
        shutil.copy(ROOT / name, source)
    for name in ("functions", "layers"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    here = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "SAM_CLI_TELEMETRY": "0"}
    if not _is_lambdas_python():
        environment["EVENTLOG_BUILD_TARGET"] = "host"
    command = [str(here / "sam"), "build", "--build-dir", str(built)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"`sam build` failed:\n{done.stderr.strip()}")
    shutil.rmtree(source)
    return built / "template.yaml"


def link_image(folder: Path) -> Path:
    """Make a folder of links to what Lambda's image has and the layer has not: the runtime client and boto3."""
    image = folder / "image"
    image.mkdir()
    for found in _with_requirements(IMAGE):
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (image / top).symlink_to(Path(str(found.locate_file(top))))
    return image


def _with_requirements(names: tuple[str, ...]) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    missing = list(names)
    while missing:
        name = missing.pop()
        if name in found:
            continue
        found[name] = distribution(name)
        needed = map(Requirement, found[name].requires or ())
        missing += [need.name for need in needed if not need.marker or need.marker.evaluate({"extra": ""})]
    return list(found.values())


def _is_lambdas_python() -> bool:
    return sys.version_info[:2] == (3, 13) and platform.machine() == "x86_64"
