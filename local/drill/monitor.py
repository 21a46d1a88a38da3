"""Follows signed checkpoints with a pinned key, as `eventlog verify-log` does, but without the way over HTTP."""

from collections.abc import Iterator

from eventlog.errors import NotFoundError
from eventlog.evidence.proofs import Evidence
from eventlog.formats import tiles
from eventlog.formats.checkpoint import origin_line, verify_checkpoint
from eventlog.formats.errors import EvidenceError
from eventlog.formats.event import Event
from eventlog.formats.note import VerifierKey
from eventlog.store.errors import StoreError
from eventlog_client.errors import LogMisbehavedError, RefusedError
from eventlog_client.monitor import Monitor, check_heads
from eventlog_client.state import Trusted


class ServedLog:
    """A ``TiledLog`` straight from what the query function would serve."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    def tlog(self, chain: str, path: str) -> bytes:
        """Return a resource of the chain's tlog-tiles interface, with errors as a client gets them."""
        try:
            if path == "checkpoint":
                return self._evidence.checkpoint(chain).note
            _, level, place = path.split("/", 2)
            return self._evidence.tile(chain, tiles.parse_tile(level, place))
        except NotFoundError as error:
            raise RefusedError(404, "Not found", str(error)) from error
        except StoreError as error:
            raise RefusedError(500, "Damaged", str(error)) from error

    def events_by_seq(self, chain: str, start: int, end: int) -> Iterator[Event]:
        """Refuse: this monitor reads leaves only."""
        raise NotImplementedError


class LogMonitor:
    """Follows all chains of a log and remembers each one's newest checkpoint."""

    def __init__(self, evidence: Evidence, public_key: bytes, origin: str) -> None:
        self._log = ServedLog(evidence)
        self._public_key = public_key
        self._origin = origin
        self._kept: dict[str, Trusted] = {}

    def look(self, *chains: str) -> list[str]:
        """Follow these chains and all followed before; return those that contradict what was seen then."""
        return [f"{chain} contradicted" for chain in sorted({*self._kept, *chains}) if not self._follow(chain)]

    def accepts(self, chain: str, note: bytes) -> bool:
        """Return whether a checkpoint that was shown elsewhere agrees with the one kept here."""
        shown, _ = verify_checkpoint(note, [self._key(chain)])
        try:
            check_heads(self._kept[chain].checkpoint, shown)
        except EvidenceError:
            return False
        return True

    def _follow(self, chain: str) -> bool:
        try:
            self._kept[chain] = Monitor(self._log, chain, [self._key(chain)]).check(self._kept.get(chain))
        except LogMisbehavedError:
            return False
        return True

    def _key(self, chain: str) -> VerifierKey:
        return VerifierKey(origin_line(self._origin, chain), self._public_key)
