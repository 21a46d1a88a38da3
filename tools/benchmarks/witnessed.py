"""Appends beside a round of the schedule that anchors their chain and asks three witnesses, which all hang."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random

from pymongo import MongoClient

from eventlog.anchors.signing import create_key_file
from eventlog.formats.cosignature import COSIGNATURE_ED25519
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.audits import run_scheduled
from eventlog.settings import Settings
from eventlog.stored.witness_records import WITNESS_PREFIX
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from tools.benchmarks.chain_writers import CHAIN, ORIGIN, Ours, Shape
from tools.benchmarks.measure import Run, Table, alternately, percentile, ratio
from tools.benchmarks.writers import Load, Make, Writers, merged

WITNESSES = 3
_WRITERS = (1, 8)
_NAMES = ("with", "without")
_TITLE = "Appends while all witnesses hang"
_NOTE = (
    "Single events on one chain, beside a round of the schedule that begins at the same moment and audits and anchors "
    f"it. With: it then asks {WITNESSES} witnesses, which take the connection and never answer, until the writers have "
    "ended. Without: no policy. The ratio is of events/s, with to without."
)
_COLUMNS = ["writers", "with, events/s", "without, events/s", "ratio", "p50 ms", "p99 ms"]


def measure(run: Run, writers: Writers, rounds: int, seconds: float) -> Table:
    """Measure appends with hanging witnesses and without any, in turn."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="eventlog-bench-") as folder, run.client() as client:
        for name in _NAMES:
            _prepare(run, Path(folder) / name)
        for count in _WRITERS:
            append = partial(writers.run, count=count, seconds=seconds)
            work = {name: partial(_beside, run, Path(folder) / name, append) for name in _NAMES}
            loads = alternately(rounds, work)
            rows.append(_row(count, loads["with"], loads["without"]))
        for name in _NAMES:
            client.drop_database(f"witnesses-{name}")
    return Table(_TITLE, _NOTE, _COLUMNS, rows)


def _row(count: int, asking: list[Load], plain: list[Load]) -> list[str]:
    def both(percent: float) -> str:
        return f"{percentile(merged(asking), percent):.1f} / {percentile(merged(plain), percent):.1f}"

    rates = [[load.rate for load in loads] for loads in (asking, plain)]
    shown = [f"{sorted(each)[len(each) // 2]:.0f}" for each in rates]
    return [str(count), *shown, f"{ratio(*rates):.2f}", both(50), both(99)]


def _prepare(run: Run, folder: Path) -> None:
    """Make a log whose first round is over: that one makes collections, indexes and directories."""
    folder.mkdir()
    create_key_file(folder / "key")
    Ours(Shape(), _database(folder))(run.uri, Random(0))()
    with closing(Connection(_settings(run.uri, folder, None))) as connection:
        run_scheduled(AuditWiring(connection), "incremental")


def _beside(run: Run, folder: Path, work: Callable[[Make], Load]) -> Load:
    """Let writers append while a round runs in this process; the folder's name says whether it asks witnesses."""
    with hanging() as (port, release):
        settings = _settings(run.uri, folder, _policy(port) if folder.name == "with" else None)
        with closing(Connection(settings)) as connection:
            _forget(run, _database(folder))
            round_ = threading.Thread(target=run_scheduled, args=(AuditWiring(connection), "incremental"))
            round_.start()
            load = work(Ours(Shape(), _database(folder)))
            release()
            round_.join()
    return load


def _database(folder: Path) -> str:
    return f"witnesses-{folder.name}"


def _settings(uri: str, folder: Path, policy: str | None) -> Settings:
    settings = Settings(mongo_uri=uri, mongo_database=_database(folder), origin=ORIGIN)
    settings.anchors, settings.signing_keys = f"{folder}/anchors", f"{folder}/key"
    if policy is not None:
        (folder / "policy").write_text(policy)
        settings.witness_policy, settings.witness_chains = f"{folder}/policy", CHAIN
    return settings


def _forget(run: Run, database: str) -> None:
    """Forget that witnesses did not answer a round ago, or they would be left alone for a minute."""
    client: MongoClient[dict[str, object]]
    with run.client() as client:
        client[database]["audits"].delete_many({"_id": {"$regex": f"^{WITNESS_PREFIX}"}})


def _policy(port: int) -> str:
    """Name witnesses at a port; each has a key of its own, of which nobody has the private part."""
    names = [f"w{number}" for number in range(WITNESSES)]
    keys = [
        VerifierKey(f"witness.example/{name}", bytes([n + 2]) * 32, COSIGNATURE_ED25519) for n, name in enumerate(names)
    ]
    lines = [
        f"witness {name} {format_vkey(key)} http://127.0.0.1:{port}\n" for name, key in zip(names, keys, strict=True)
    ]
    return f"{''.join(lines)}group orgs all {' '.join(names)}\nquorum orgs\n"


@contextmanager
def hanging() -> Iterator[tuple[int, Callable[[], None]]]:
    """Listen on a port, take connections, never answer; the function ends them all."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        taken: list[socket.socket] = []
        over = threading.Event()

        def take() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                taken.append(connection)
                if over.is_set():
                    connection.close()

        def release() -> None:
            over.set()
            for connection in taken:
                connection.close()

        threading.Thread(target=take, daemon=True).start()
        yield listener.getsockname()[1], release
        release()
        listener.shutdown(socket.SHUT_RDWR)
