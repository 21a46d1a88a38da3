"""The anchors' part in an audit: what is anchored before it, the marks on its way, and its own anchor at the end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256

from bson import DatetimeMS, Int64

from eventlog.anchors.anchoring import Anchoring, AnchorRefusedError, VerifiedHead
from eventlog.anchors.history import Standing, rotation_id
from eventlog.anchors.registry import REGISTRY, Registry
from eventlog.anchors.store import is_name
from eventlog.anchors.walk import Reached, Step
from eventlog.audit.marks import read_reached, stored_reached
from eventlog.audit.report import Report, emitter
from eventlog.formats.anchor import Anchor
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.store.errors import CorruptionError, StoreError
from eventlog.store.interface import EventStore
from eventlog.stored import codec
from eventlog.verify.findings import Finding


class AuditAnchors:
    """Does nothing where nothing is anchored (``anchoring`` is None). What can't be reached makes it incomplete."""

    def __init__(self, store: EventStore, anchoring: Anchoring | None, origin: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._anchoring = anchoring
        self._origin = origin
        self._registry = Registry(store, clock)

    def names(self, stored: Iterable[str]) -> Iterator[str]:
        """Every chain in the database, among the anchors or in the registry, which is audited last as it grows."""
        names = set(stored)
        if self._anchoring is not None:
            with suppress(StoreError):  # the audits of what is known will say so
                names.update(self._anchoring.anchors.chains())
            with suppress(StoreError):
                names.update(self._registry.names())
        yield from sorted(names - {REGISTRY})
        yield REGISTRY

    def look(self, report: Report) -> Standing | None:
        """What is anchored of the chain, and the event of a change of keys, before anything else is read.

        None: nothing is anchored in this log.
        """
        report["walk"] = {"reached": stored_reached(Reached()), "rewritten": False}
        report["last_anchor"] = report["copied"] = Int64(0)
        if self._anchoring is None:
            return None
        chain, emit = report["chain"], emitter(report)
        if not is_name(chain):
            emit(Finding("unexpected", None, None, None, "no chain can have this name"))
            return Standing()
        try:
            standing = self._anchoring.history.standing(chain, self._origins(chain))
            self._rotate(chain, standing)
        except StoreError as error:
            report["incomplete_because"] = f"what is anchored is not known: {error}"
            return Standing()
        for finding in standing.restore_findings + (standing.findings if report["mode"] == "incremental" else []):
            emit(finding)
        if not standing.last and self._registry.has(chain):
            detail = "the registry says that this chain was anchored, but there is no anchor of it"
            emit(Finding("checkpoint_missing", None, None, None, detail))
        report["last_anchor"], report["copied"] = Int64(standing.last), Int64(standing.copied)
        describe(report, standing.holds)
        return standing

    def steps(self, report: Report) -> Iterator[Step]:
        """A full audit looks at every anchor; an incremental one has looked at the last ones."""
        last = int(report["last_anchor"])
        if self._anchoring is None or not last or report["mode"] != "full":
            return
        chain = report["chain"]
        reached = read_reached(report["walk"]["reached"])
        reader = self._anchoring.history.reader(chain, list(dict.fromkeys([report["origin"], self._origin])))
        copies = self._anchoring.checkpoints.stored(chain, reached.number + 1)
        yield from reader.walk(reached, reader.restores()[0], copies, last, int(report["copied"]))

    def vouch(self, report: Report) -> None:
        """Sign what a running audit is stored with, so that it can be resumed and still anchor what it finds."""
        if self._anchoring is not None:
            with suppress(StoreError):  # then whoever resumes it anchors nothing
                report["voucher"] = self._anchoring.signers[0].sign(_voucher_message(report))

    def check_voucher(self, report: Report) -> None:
        """Who resumes an audit trusts its report's state only if the audit itself has signed it: else anyone who can
        write to the database could say that something was verified, and have it anchored."""
        if self._anchoring is None:
            return
        signature = report.pop("voucher", None)
        try:
            for key in self._anchoring.history.public_keys:
                with suppress(EvidenceError):
                    VerifierKey("audit", key).verify(_voucher_message(report), signature or b"")
                    return
            report["incomplete_because"] = "it was resumed from a state that no audit has signed, so it is not anchored"
        except StoreError as error:
            report["incomplete_because"] = f"whether an audit has signed its state is not known: {error}"

    def advance(self, report: Report, head: VerifiedHead) -> None:
        """Anchor what was found intact, and register the chain once it is anchored."""
        if self._anchoring is None:
            return
        emit = emitter(report)
        try:
            standing = self._anchoring.history.standing(head.chain, self._origins(head.chain))
            for finding in standing.restore_findings + standing.findings:
                emit(finding)
            if standing.newest is None and head.origin != self._origin:
                because = f"its origin is {head.origin}, and a first anchor is made for {self._origin} alone"
                report["incomplete_because"] = because
            elif not report["findings_total"]:
                self._anchoring.keep_copies(head.chain, standing)
                anchor = self._anchoring.advance(head, standing)
                describe(report, anchor)
                if anchor is not None:
                    with suppress(CorruptionError):  # the registry's own audit says so
                        self._registry.add(head.chain, head.origin)
        except AnchorRefusedError as error:
            emit(error.finding)
        except StoreError as error:
            report["incomplete_because"] = f"what was verified could not be anchored: {error}"

    def _rotate(self, chain: str, standing: Standing) -> None:
        """Say in the chain itself that another key signs from the next anchor on, before it does."""
        newest, holds, anchoring = standing.newest, standing.holds, self._anchoring
        if newest is None or anchoring is None or standing.findings or standing.restore_findings:
            return
        old, new = newest.keys[0], VerifierKey(newest.checkpoint.origin, anchoring.current_key)
        found = self._store.chain(chain) if old != new else None
        if found is not None and found.state.size >= (holds.checkpoint.size if holds else 0):
            payload = {"from": format_vkey(old), "to": format_vkey(new)}
            event_id = rotation_id(newest.seal.number + 1, new.public_key)
            self._registry.write(chain, event_id, "eventlog.key_rotated", payload)

    def _origins(self, chain: str) -> list[str]:
        """What the chain's origin may be: what its sequence document says, or what the settings say."""
        try:
            found = self._store.chain(chain)
        except StoreError:
            found = None
        return list(dict.fromkeys([found.origin if found else self._origin, self._origin]))


def _voucher_message(report: Report) -> bytes:
    """What is signed of a stored report: all but the lease, in its written form."""
    signed = {name: value for name, value in report.items() if name not in {"lease", "voucher"}}
    return f"eventlog/audit/v1\nreport {sha256(codec.encode(signed)).hexdigest()}\n".encode()


def describe(report: Report, anchor: Anchor | None) -> None:
    """Say how far the chain is anchored, and since when."""
    if anchor is not None:
        report["anchored_size"] = Int64(anchor.checkpoint.size)
        report["anchored_at"] = DatetimeMS(anchor.seal.time)
    if report.get("size") is not None:
        report["unanchored_events"] = Int64(max(0, report["size"] - (report["anchored_size"] or 0)))
