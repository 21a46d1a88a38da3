"""`make federation`: run the federation, turn one organisation hostile, and print who notices, and when."""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from eventlog.store.mongo.store import connect
from eventlog.witness.directory import DirectoryState
from local.federation.federation import NAMES, Federation, federation, introduce
from local.federation.organisation import CHAIN
from local.machine import LocalError
from local.mongod.embedded import EmbeddedMongo

HONEST = [[{"invoice": number, "amount": 100 * number} for number in range(start, start + 4)] for start in (1, 5, 9)]
"""What each organisation logs, in three rounds."""
FORGED = [{**event, "amount": 1} for events in HONEST for event in events]


def main() -> int:
    """Return the exit code: 0 if the rewritten history was noticed by everybody who should."""
    logging.disable(logging.CRITICAL)  # the audits' log lines; what matters of them is printed here
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    try:
        with tempfile.TemporaryDirectory(prefix="eventlog-federation-") as folder:
            place = Path(folder)
            with EmbeddedMongo(place / "mongo") as mongod, connect(mongod.uri) as client:
                return 0 if show(mongod.uri, client, place / "organisations") else 1
    except LocalError as error:
        print(error)
        return 1


def show(uri: str, client: MongoClient[dict[str, Any]], folder: Path, say: Callable[[str], None] = print) -> bool:
    """Tell the story in three parts; return whether each ended as it must."""
    # Honest rounds first, so that each witness holds something to compare with.
    folder.mkdir(parents=True)
    with federation(uri, client, folder) as found:
        say(f"Three organisations, each with a log and a witness. Whoever verifies asks for this:\n\n{_policy(found)}")
        return _honest(found, say) and _turned(found, say) and _noticed(found, say)


def _honest(found: Federation, say: Callable[[str], None]) -> bool:
    well = True
    for number, events in enumerate(HONEST, 1):
        say(f"Round {number}: each logs {len(events)} events; its audit verifies, anchors, and asks the witnesses.")
        for each in found.organisations:
            each.append(events)
            findings, said = each.round(), found.verify(each)
            say(f"  {each.name}: {said}")
            well = well and not findings and said == f"accepted: cosigned by {', '.join(NAMES)}"
    return well


def _turned(found: Federation, say: Callable[[str], None]) -> bool:
    """Turn the first organisation hostile: nobody is asked about the new history, and no audit of its own finds it."""
    acme = found.organisations[0]
    say(f"\n{acme.name}'s administrator rewrites every amount, signs it all anew, and has its own witness forget.")
    acme.rewrite(FORGED)
    introduce(found.organisations, [DirectoryState(acme.folder / "witness")])
    quiet, said = acme.round(asks=False), found.verify(acme)
    say(f"  its own audit, asking nobody: {len(quiet)} findings\n  an auditor with the policy: {said}")
    return not quiet and said.startswith("REFUSED")


def _noticed(found: Federation, say: Callable[[str], None]) -> bool:
    """Have the next scheduled round ask the witnesses: these refuse, and it accuses its own log by what they show."""
    acme, *others = found.organisations
    say(f"\nThe next round of {acme.name}'s schedule asks the witnesses.")
    findings = acme.round()
    for chain, texts in sorted(findings.items()):
        say(f"  {acme.name}'s audit, {chain}: {'; '.join(texts)}")
    kept, said = found.kept_against(acme), found.verify(acme)
    for name, count in kept.items():
        say(f"  {name}'s witness refused, and keeps what convicts {acme.name}: {count} request(s)")
    say(f"  an auditor with the policy: {said}\n")
    honest = {each.name: found.verify(each) for each in others}
    for name, text in honest.items():
        say(f"  {name}: {text}")
    say(f"\nOnly {acme.name}'s own witness cosigns the new history, 1 of {len(NAMES)}: another would have to join in.")
    accused = any(text.startswith("rewritten") for text in findings.get(CHAIN, ()))
    refused = said.startswith("REFUSED") and all(kept.values())
    return accused and refused and all(text.startswith("accepted") for text in honest.values())


def _policy(found: Federation) -> str:
    lines = found.policy.read_text(encoding="utf-8").splitlines()
    return "".join(f"  {line[:110]}{'...' if len(line) > 110 else ''}\n" for line in lines)
