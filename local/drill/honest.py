"""The honest log of the tamper drill: made once, saved, and copied for each attack."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pymongo import MongoClient

from eventlog.anchors.signing import KeyFile
from eventlog.chain_names import REGISTRY
from eventlog.formats.note import VerifierKey
from eventlog.store.mongo import indexes, schema
from local.drill.log import CHAINS, COLLECTIONS, ORIGIN, Backup, Document, DrillLog
from local.drill.witness import witness_in

ROUNDS = (12, 9, 10, 8)
"""How many events each chain gets before each anchor: the anchors cover 12, 21, 31 and 39 events."""
EARLIER = 2
"""After how many rounds the backup is made."""

Prepare = Callable[[str], None]


def nothing(_database: str) -> None:
    """Prepare nothing: the log makes what it needs."""


@dataclass(frozen=True)
class Honest:
    """The honest log, of which each attack gets a copy. ``memory``: what its witness remembers.

    ``packed``: its anchors are in packs.
    """

    client: MongoClient[Document]
    folder: Path
    key: KeyFile
    now: Backup
    earlier: Backup
    memory: Path
    prepare: Prepare = nothing
    packed: bool = False

    @contextmanager
    def copy(self, *, witnessed: bool = False) -> Iterator[DrillLog]:
        """Yield a log with the same content, in a database and a directory of its own; if asked, with a witness.

        The witness saw the honest log, and nothing of other copies.
        """
        new = fresh_log(self.client, self.folder, self.key, self.prepare, packed=self.packed)
        with new as log, ExitStack() as stack:
            # Watching begins while there is no anchor yet: else it would begin with the honest log's first one, and
            # read again all that was done to every other copy since. Nothing of that is removed: it would be told of.
            log.watch()
            log.put_back(self.now, [name for name in COLLECTIONS if name != "audits"], files=True)
            kept = [row for row in self.now.documents["audits"] if str(row["_id"]).partition("/")[0] != "watch"]
            log.raw("audits").insert_many(kept)
            log.earlier = self.earlier
            log.monitor.look(*CHAINS, REGISTRY)
            log.watch()  # the copy itself is a change, too; what is told of that does not count
            log.watched.clear()
            if witnessed:
                memory = Path(f"{log.folder}-witness")
                shutil.copytree(self.memory, memory)
                log.policy = Path(f"{log.folder}-policy")
                stack.enter_context(witness_in(memory, vkeys(log), log.policy))
            yield log


def make_honest(
    client: MongoClient[Document], folder: Path, key: KeyFile, prepare: Prepare = nothing, *, packed: bool = False
) -> Honest:
    """Make the honest log: events and audits in turns. ``prepare`` is called with the name of each new database.

    ``packed``: its anchors are in packs. Those with odd numbers have the claims of both chains, the others the anchors.
    """
    memory = folder / "witness"
    with fresh_log(client, folder, key, prepare, packed=packed) as log, ExitStack() as stack:
        if not packed:  # no attack on packs has to do with a witness
            stack.enter_context(witness_in(memory, vkeys(log), folder / "policy"))
            log.policy = folder / "policy"
        for number, count in enumerate(ROUNDS):
            if number == EARLIER:
                earlier = log.back_up()
            for chain in CHAINS:
                log.append(chain, count)
            if packed:
                log.anchor_at_once()
            log.audit("incremental")
        return Honest(client, folder, key, log.back_up(), earlier, memory, prepare, packed)


def vkeys(log: DrillLog) -> list[VerifierKey]:
    """Return the verifier keys of all chains of a log, as a witness knows them."""
    return [VerifierKey(f"{ORIGIN}/{chain}", log.key.public_key) for chain in (*CHAINS, REGISTRY)]


@contextmanager
def fresh_log(
    client: MongoClient[Document], folder: Path, key: KeyFile, prepare: Prepare = nothing, *, packed: bool = False
) -> Iterator[DrillLog]:
    """Yield an empty log, whose database is dropped afterwards.

    It has all indexes that are declared. A log at work asks for each on first use, and a copy, filled with rows, would
    not ask for some. It has no validators, as where nobody has set the database up: administrators get around them.
    """
    place = folder / f"drill_{uuid4().hex[:12]}"
    place.mkdir()
    prepare(place.name)
    log = DrillLog(client, place, key, packed=packed)
    for declared in schema.COLLECTIONS:
        if declared.indexes:
            indexes.ensure(log.raw(declared.name), declared.indexes)
    try:
        yield log
    finally:
        client.drop_database(place.name)
