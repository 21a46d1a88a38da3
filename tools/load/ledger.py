"""What was sent and what the log said to it: an append-only file, a JSON line before each append and one after it.

An event is known by its mark, which it carries in its payload: those without an id of the client's have no other name
until they are acknowledged. Of what was sent and never answered nothing is known; it may be stored, but only once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Receipt = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """One event: its chain and, once there are such, its receipt and the id it has in the queue.

    ``in_doubt``: how often it was sent and not refused.
    """

    chain: str
    receipt: Receipt | None = None
    accepted: str | None = None
    in_doubt: int = 0


class LedgerError(ValueError):
    """The log said two things of one event that don't go together."""


class Ledger:
    """Writes the file. Each line is with the operating system before the call returns, so that it survives us."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def send(self, chain: str, marks: Sequence[str]) -> None:
        """These events are about to be sent, perhaps again."""
        self._write({"chain": chain, "sent": marks})

    def acknowledge(self, receipts: Mapping[str, Receipt]) -> None:
        """The log has these; by mark."""
        self._write({"receipts": receipts})

    def accept(self, mark: str, event_id: str) -> None:
        """The log's queue has it."""
        self._write({"accepted": event_id, "mark": mark})

    def refuse(self, marks: Sequence[str]) -> None:
        """The log says that it did not take these, this time."""
        self._write({"refused": marks})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")


def read(path: Path) -> dict[str, Sent]:
    """Everything sent, by mark; a last line that was cut short was not written.

    Raises: LedgerError: one event got two receipts.
    """
    sent: dict[str, Sent] = {}
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                _enter(sent, json.loads(line))
    return sent


def _enter(sent: dict[str, Sent], line: dict[str, Any]) -> None:
    for mark in line.get("sent", ()):
        sent.setdefault(mark, Sent(line["chain"])).in_doubt += 1
    for mark in line.get("refused", ()):
        sent[mark].in_doubt -= 1
    if "accepted" in line:
        sent[line["mark"]].accepted = line["accepted"]
    for mark, receipt in line.get("receipts", {}).items():
        if sent[mark].receipt not in (None, receipt):
            raise LedgerError(f"event {receipt['event_id']} got two receipts: {sent[mark].receipt} and {receipt}")
        sent[mark].receipt = receipt
