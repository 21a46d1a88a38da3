"""The ledger: an append-only file with a JSON line before each append, and one with the log's answer after it.

Events are named by a mark in their payload, as an event without a client's id has no other name until it is
acknowledged. An event that was sent and never answered may be stored or not, but at most once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ReceiptFields = dict[str, Any]


@dataclass(slots=True)
class Sent:
    """One event: its chain, its receipt once it has one, and its id in the queue if it was accepted there.

    ``in_doubt`` counts how often it was sent and not refused.
    """

    chain: str
    receipt: ReceiptFields | None = None
    accepted: str | None = None
    in_doubt: int = 0


class LedgerError(ValueError):
    """The log said two things about one event that can't both be true."""


class Ledger:
    """Writes the file. Each line is handed to the operating system before the call returns, so it survives a crash."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def send(self, chain: str, marks: Sequence[str]) -> None:
        """Note that these events are about to be sent, perhaps again."""
        self._write({"chain": chain, "sent": marks})

    def acknowledge(self, receipts: Mapping[str, ReceiptFields]) -> None:
        """Note the receipts of events, by mark."""
        self._write({"receipts": receipts})

    def accept(self, mark: str, event_id: str) -> None:
        """Note that the log's queue has an event."""
        self._write({"accepted": event_id, "mark": mark})

    def refuse(self, marks: Sequence[str]) -> None:
        """Note that the log refused these events this time."""
        self._write({"refused": marks})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")


def read(path: Path) -> dict[str, Sent]:
    """Read all events that were sent, by mark; a last line that was cut off is ignored.

    Raises:
        LedgerError: one event got two receipts.
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
