"""`python -m local.drill [PART]...`: attack an honest log in every way we know, and see what finds which attack.

With parts of names only the attacks whose name has one of them are carried out.

Each attack works on its own copy of the log. The exit code is 0 only if each ends exactly as the table says.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.audit.report import AuditReport, Mode
from eventlog.store.mongo.store import connect
from local.drill.attack import NOBODY, WATCHER, Attack
from local.drill.attacks import ATTACKS
from local.drill.honest import Honest, make_honest
from local.drill.log import DrillLog
from local.machine import LocalError
from local.mongod.embedded import EmbeddedMongo

AT_ONCE = 4
MODES: tuple[Mode, ...] = ("incremental", "full")


@dataclass(frozen=True)
class Discovery:
    """What found the attack first, and what it found."""

    where: str
    found: str

    def is_as_expected(self, attack: Attack) -> bool:
        """Return whether the attack was found where and as its table says."""
        return (self.where, self.found) == (attack.where, attack.found)


def attack(log: DrillLog, attack: Attack) -> Discovery:
    """Carry out an attack, then look for it: by both audits, by what only others can see, by what the watcher told."""
    attack.act(log)
    for mode in MODES:
        if found := findings(log.audit(mode)):
            return Discovery(f"{mode} audit", found)
    if found := "; ".join(attack.look(log)):
        return Discovery(attack.by, found)
    found = findings(log.watched)
    return Discovery(WATCHER if found else NOBODY, found)


def findings(reports: Iterable[AuditReport]) -> str:
    """Return what reports say in short: chain, kind and seqs; what could not be audited or watched counts too."""
    found = []
    for report in reports:
        seqs: dict[str, list[int]] = {}
        for finding in report.findings:
            seqs.setdefault(finding.kind, []).extend([] if finding.seq is None else [finding.seq])
        chain = report.chain or "database"
        found += [f"{chain} {kind} {ranges(places)}".strip() for kind, places in seqs.items()]
        if report.status == "incomplete":
            found.append(f"{chain} incomplete")
    return "; ".join(found)


def ranges(seqs: Sequence[int]) -> str:
    """Return seqs in short: 3, 5..8."""
    runs: list[tuple[int, int]] = []
    for seq in sorted(set(seqs)):
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in runs)


def chosen(parts: Sequence[str]) -> list[Attack]:
    """Return the attacks whose name has one of these parts, or all."""
    return [each for each in ATTACKS if not parts or any(part in each.name for part in parts)]


def run(client: MongoClient[dict[str, Any]], folder: Path, console: Console, attacks: Sequence[Attack]) -> bool:
    """Carry out attacks, some at the same time, and print the table; return whether all went as expected."""
    create_key_file(folder / "key")
    logs = {}
    for packed in {each.packed for each in attacks}:
        place = folder / ("packed" if packed else "honest")
        place.mkdir()
        logs[packed] = make_honest(client, place, KeyFile(folder / "key"), packed=packed)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        outcomes = list(threads.map(partial(try_on_copy, logs), attacks))
    table = Table("", "Attack", "Attacker", "Expected", "Found", "Where", title="Tamper drill", show_lines=True)
    for each, outcome in zip(attacks, outcomes, strict=True):
        mark, where = "[green]ok[/]", outcome.where
        if not outcome.is_as_expected(each):
            mark, where = "[bold red]WRONG[/]", f"{where}, not {each.where}"
        table.add_row(mark, each.name, each.attacker, _lines(each.found), _lines(outcome.found), where)
    console.print(table)
    return all(outcome.is_as_expected(each) for each, outcome in zip(attacks, outcomes, strict=True))


def try_on_copy(logs: Mapping[bool, Honest], each: Attack) -> Discovery:
    """Carry out an attack on a copy of the honest log, the packed one or the other; return what found it."""
    with logs[each.packed].copy(witnessed=each.witnessed) as log:
        return attack(log, each)


def _lines(found: str) -> str:
    return found.replace("; ", "\n") or "nothing"


def main(arguments: Sequence[str]) -> int:
    """Return the exit code: 0 when every attack ended as expected."""
    attacks = chosen(arguments)
    if not attacks:
        print(f"No attack's name has {' or '.join(map(repr, arguments))} in it.", file=sys.stderr)
        return 1
    os.environ.setdefault("POWERTOOLS_METRICS_DISABLED", "true")
    logging.getLogger("eventlog").addHandler(logging.NullHandler())  # attacks make audits complain
    # The embedded MongoDB must outlive every attack, and its data and the logs' anchors go with the folder at the end.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with tempfile.TemporaryDirectory(prefix="eventlog-drill-") as name, EmbeddedMongo(Path(name, "db")) as mongo:
            folder = Path(name, "logs")
            folder.mkdir()
            with connect(mongo.uri) as client:
                good = run(client, folder, console, attacks)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    missed = sum(each.where == NOBODY for each in attacks)
    print(f"{len(attacks)} attacks, {missed} of them known not to be found; " + ("all" if good else "NOT all"), end=" ")
    print("ended as the table says.")
    return 0 if good else 1
