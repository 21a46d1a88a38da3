"""Call `app.handler` with event files, in a process that has nothing but built artefacts on its path.

Usage: python -S -P invoke.py ANSWERS EVENT...   writes the list of answers to the file ANSWERS.
"""

import importlib
import json
import sys
from pathlib import Path


class Context:
    """What powertools and mangum read of Lambda's context object."""

    function_name = "eventlog"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:eventlog"
    log_group_name = "eventlog"
    log_stream_name = "2026/11/23/[$LATEST]0123456789abcdef"

    def __init__(self, number: int) -> None:
        self.aws_request_id = f"00000000-0000-4000-8000-{number:012d}"

    def get_remaining_time_in_millis(self) -> int:
        return 25_000


def main(answers: Path, events: list[Path]) -> None:
    handler = importlib.import_module("app").handler
    given = [handler(json.loads(event.read_text(encoding="utf-8")), Context(n)) for n, event in enumerate(events)]
    answers.write_text(json.dumps(given), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(event) for event in sys.argv[2:]])
