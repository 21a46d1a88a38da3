"""Looks for secrets in what would be deployed."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.package_check.result import Result
from tools.package_check.weight import files

PATTERNS = {
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\[nr])+[A-Za-z0-9+/]{32}",
    "a connection string with a password": rb"""mongodb(?:\+srv)?://[^\s:/@"']+:(?!%s|[<{$])[^\s@"']+@""",
    "an access key of AWS's": rb"(?<![A-Za-z0-9+/])(?:AKIA|ASIA)(?![A-Z2-7]*EXAMPLE)[A-Z2-7]{16}(?![A-Za-z0-9+/])",
    "a secret key of AWS's": rb"""(?i:aws_?secret_?access_?key)["']?\s*[=:]\s*["']?[A-Za-z0-9/+]{40}""",
}


def check(places: Iterable[Path]) -> Result:
    """Search files, and everything in folders, native code and bytecode too."""
    problems, count = [], 0
    for path in _files(places):
        count += 1
        content = path.read_bytes()
        problems += [
            f"{path} has {kind}: take it out, treat it as known to others and replace it; secrets belong into "
            "Secrets Manager or Parameter Store."
            for kind, pattern in PATTERNS.items()
            if re.search(pattern, content)
        ]
    return Result("secrets", f"{count} files, {len(PATTERNS)} patterns", problems)


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from (files(place) if place.is_dir() else [place])
