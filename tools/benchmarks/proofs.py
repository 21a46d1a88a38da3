"""The cost of one event's proof in logs of several sizes, compared with the bare find of that event."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from bson import Int64
from pymongo import MongoClient

from eventlog.evidence.proofs import Evidence
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.store.mongo.store import MongoStore, connect, open_log
from tools.benchmarks.chain_writers import CHAIN
from tools.benchmarks.measure import Run, Table, percentile
from tools.benchmarks.plans import Explainer
from tools.benchmarks.query import millis
from tools.benchmarks.seed import ORIGIN
from tools.benchmarks.stored import stored

_MOST_HASHES, _MOST_DOCUMENTS = 21, 45
"""Limits for a proof in a million events."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Proofs at one size: milliseconds of ours and of the bare finds, the most hashes and documents examined."""

    count: int
    ours: Sequence[float]
    bare: Sequence[float]
    hashes: int
    documents: int

    def row(self) -> list[str]:
        """Return the row of the table."""
        times = [percentile(self.ours, 50), percentile(self.ours, 99), percentile(self.bare, 50)]
        ratio = f"{times[0] / times[2]:.2f}"
        limits = [(self.hashes, _MOST_HASHES), (self.documents, _MOST_DOCUMENTS)]
        judged = [f"{n} (<= {most})" if n <= most else f"**{n}, missed (<= {most})**" for n, most in limits]
        return [f"{self.count:,}", *(f"{value:.2f}" for value in times), ratio, *judged]


def measure(run: Run, count: int) -> Proofs:
    """Prove events from anywhere in the log, each in turn with finding it by its ``_id``."""
    # The proof is timed first; then it is made twice more, once for its hashes and once for its finds, which are
    # explained.
    database, number = stored(run, count), 50 if run.quick else 500
    seqs = [Int64(seq) for seq in Random(count).sample(range(count), number)]
    client: MongoClient[dict[str, Any]] = MongoClient(run.uri)
    ours, bare, hashes, documents = [], [], 0, 0
    with connect(run.uri) as connected, client, closing(Explainer(run.uri, database)) as explainer:
        evidence, events = (
            Evidence(MongoEvidenceReader(open_log(connected, database, ORIGIN))),
            client[database]["events"],
        )
        for found in events.find({"chain": CHAIN, "seq": {"$in": seqs}}, {"event_id": 1}):
            event_id = found["event_id"]
            ours.append(millis(partial(evidence.proof, CHAIN, event_id, count)))
            bare.append(millis(partial(events.find_one, {"_id": found["_id"]})))
            hashes = max(hashes, len(evidence.proof(CHAIN, event_id, count).hashes))
            finds = explainer.finds_of(partial(_prove, event_id=event_id, size=count))
            documents = max(documents, explainer.examined(finds).documents + 1)  # and the sequence document
    return Proofs(count, ours, bare, hashes, documents)


def table(run: Run, counts: Sequence[int]) -> Table:
    """Make the table, with a row for each size."""
    return Table(
        "Growth: the proof of one event",
        "Of events anywhere in the log, each proven in the whole tree and verified before it is given; alternately "
        "with `find_one` by `_id`. A proof is four finds one after the other: the checkpoint of that size, the "
        "sequence document, the event, all nodes. Hashes and documents examined are the most of any proof; what is "
        "asked is asked at 10^6.",
        ["events stored", "proof p50 ms", "p99 ms", "bare find p50", "times bare", "hashes", "documents examined"],
        [measure(run, count).row() for count in counts],
    )


def _prove(store: MongoStore, event_id: str, size: int) -> object:
    return Evidence(MongoEvidenceReader(store)).proof(CHAIN, event_id, size)
