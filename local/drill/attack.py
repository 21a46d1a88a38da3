"""What an attack of the tamper drill is: who can carry it out, how, what finds it, and how to look for it.

The attackers: 1 a client with write scope, 2 a bug, a bad migration or a restored backup, 3 a database administrator
who edits rows, 4 one who also recomputes every hash, 5 one who also holds the signing key. ``+ anchors``: the attacker
can also change the anchors, which should be kept where no database administrator can reach them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eventlog.formats.checkpoint import origin_line
from local.drill.log import CHAINS, ORIGIN, DrillLog

INCREMENTAL = "incremental audit"
FULL = "full audit"
MONITOR = "monitor that kept a checkpoint"
VERIFIER = "verifier with a policy"
REPORT = "audit report (it stays intact)"
WATCHER = "watcher of the database's changes"
RECORD = "restore note, event in the chain"
ALARM = "alarm: no full round"
ALARM_HOURS = 26
"""How old the newest full round may be before the alarm, as ``MissingFullAuditHours`` has it in the template."""
NOBODY = "nobody"


def ask_monitor(log: DrillLog) -> list[str]:
    """Return the findings of a monitor that has seen the honest log."""
    return log.monitor.look()


def read_record(log: DrillLog) -> list[str]:
    """Return the traces of a declared restore: the event in the chain and the signed note, which stay for good."""
    found = []
    for chain in CHAINS:
        newest = log.checkpoints.find_one({"chain": chain}, sort=[("number", -1)]) or {}
        event = log.events.find_one({"chain": chain, "event_type": "eventlog.chain_restored"}) or {}
        note = (log.folder / chain / "restore-0002.note").exists()
        if event and note and newest["note"].startswith(f"{origin_line(ORIGIN, chain, 2)}\n"):
            found.append(f"{chain}~2: {event['event_type']} {event['seq']}")
    return found


def read_skew(log: DrillLog) -> list[str]:
    """Return what the newest audit report says about claimed times."""
    report = log.audits.find_one({"chain": "main", "skew": {"$exists": True}}, sort=[("_id", -1)]) or {}
    skew = report["skew"]
    days = round(skew["seconds"] / 86_400)
    return [f"main skew {skew['seq']}: {days} days"] if skew["events"] else []


def ask_age(log: DrillLog) -> list[str]:
    """Evaluate the alarm on full rounds, by the age that the metric ``FullAuditAge`` has."""
    age = log.auditor.full_age()
    if age is None:
        return ["no full round"]
    return [f"no full round for {int(age // 86_400)} days"] if age > ALARM_HOURS * 3600 else []


@dataclass(frozen=True)
class Attack:
    """An attack, ``where`` it is found first, and what is ``found`` there: chain, kind and seqs, ``; `` between them.

    ``look`` is called when both audits say that every chain is intact; what the watcher told of the database's changes
    counts last, since it tells of nearly every attack on the database. ``witnessed``: the log has a witness.
    ``packed``: its anchors are in packs.
    """

    name: str
    attacker: str
    act: Callable[[DrillLog], None]
    where: str
    found: str = ""
    look: Callable[[DrillLog], list[str]] = ask_monitor
    witnessed: bool = False
    packed: bool = False

    @property
    def by(self) -> str:
        """Who finds what ``look`` returns."""
        return MONITOR if self.where in {NOBODY, WATCHER} else self.where
