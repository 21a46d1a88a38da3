"""Declaring that an entry of the registry names no chain: by an operator, signed, kept for good.

Whoever can write to the database can append a name to the registry. No such chain was ever anchored, and each audit
misses its anchors. Where nothing at all is there of a chain, an operator may say so; whoever can't sign may not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.registry import Registry
from eventlog.anchors.strike_offs import StrikeOffs, strike_off_key
from eventlog.audit.auditor import Auditor
from eventlog.audit.report import AuditReport
from eventlog.chain_names import REGISTRY
from eventlog.clock import now_millis
from eventlog.errors import InvalidError, NotFoundError
from eventlog.formats.checkpoint import origin_line
from eventlog.formats.errors import EvidenceError
from eventlog.formats.strict_json import Problem
from eventlog.formats.strike_off import StrikeOff, format_strike_off, sign_strike_off
from eventlog.store.errors import CorruptionError
from eventlog.store.interface import EventStore
from eventlog.store.interface.audits import AuditDatabase


@dataclass(frozen=True, slots=True)
class Registrar:
    """Declares entries of the registry void. ``auditor`` is the one that anchors."""

    store: EventStore
    audits: AuditDatabase
    anchoring: Anchoring
    auditor: Auditor
    clock: Callable[[], int] = field(default=now_millis, kw_only=True)

    def strike_off(self, chain: str, reason: str) -> AuditReport:
        """Declare the registry's entries of a chain void; the report of the audit that anchors the registry with it.

        Raises:
            NotFoundError: the registry has no such entry.
            InvalidError: there is something of this chain, or the reason is not one line of text.
            StoreError: the database, the anchors or the key can't be reached.
        """
        # Whatever can be refused is refused before the first write. A crash between two entries leaves one that stands,
        # so the chain is missed as it was, and declaring it again does the rest.
        declared = self._declared(chain, reason)
        if not declared:
            raise NotFoundError(f"{REGISTRY} does not name a chain {chain}; there is nothing to strike off.")
        self._check_nothing_there(chain)
        for entry in declared:
            self._declare(entry)
        return self.auditor.run(self.auditor.start(REGISTRY, "incremental"), float("inf"))

    def _declare(self, declared: StrikeOff) -> None:
        # The event comes first: no entry is void without saying so in the registry. Until the signed note is there the
        # chain is missed as it was, and after a crash it is declared again. A note that is there already stands.
        log = declared.origin.removesuffix(f"/{REGISTRY}")
        notes = StrikeOffs(self.anchoring.anchors, self.anchoring.history.public_keys, [log])
        if notes.is_void(declared.chain, declared.seq, declared.hash):
            return
        Registry(self.store, self.clock).strike_off(declared)
        data = sign_strike_off(declared, self.anchoring.signers)
        self.anchoring.anchors.create(REGISTRY, strike_off_key(declared.hash), data)
        if not notes.is_void(declared.chain, declared.seq, declared.hash):
            detail = "there is something else in the place of the strike-off: the audit of the registry says what"
            raise InvalidError([Problem("/chain", detail)])

    def _declared(self, chain: str, reason: str) -> list[StrikeOff]:
        entries, registry = Registry(self.store, self.clock).entries(chain), self.store.chain(REGISTRY)
        if registry is None:
            return []
        line, now = origin_line(registry.origin, REGISTRY), self.clock()
        declared = [StrikeOff(line, chain, entry.seq, entry.hash, now, reason) for entry in entries]
        try:
            for each in declared:
                format_strike_off(each)  # before anything is written
        except EvidenceError as error:
            raise InvalidError([Problem("/reason", str(error))]) from error
        return declared

    def _check_nothing_there(self, chain: str) -> None:
        """Refuse to strike off a chain of which anything is left: that one was, or is, a chain.

        Raises:
            InvalidError: saying what is there.
        """
        # In doubt there was a chain: what is damaged counts as there. One thing is enough to refuse, but all are looked
        # at, as the operator must know what is left.
        with self.audits.together(chain) as reads:
            looks: dict[str, Callable[[], bool]] = {
                "anchors": lambda: any(True for _ in self.anchoring.anchors.keys(chain)),
                "copies of anchors": lambda: self.anchoring.checkpoints.newest(chain) is not None,
                "a sequence document": lambda: reads.sequence() is not None,
                "events": lambda: any(True for _ in reads.outside(0)),
                "reports of audits that verified it": lambda: reads.verified() is not None,
            }
            left = [what for what, look in looks.items() if _is_there(look)]
        if left:
            raise InvalidError([Problem("/chain", f"there is something of it: {', '.join(left)}")])


def _is_there(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except CorruptionError:  # it is damaged, so it is there
        return True
