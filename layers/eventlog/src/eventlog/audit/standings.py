"""Keeps what stands of each chain: what audits have found, until a later full audit finds all of it intact.

It is kept in the database for readers, signed with the time (``formats/standing.py``). The database is under suspicion,
so the first standing of each time in which something was found is kept among the anchors, too: one in the database that
no key of the log has signed, that is older, or that is gone, is put right from there, and told.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.standings import StandingNotes
from eventlog.audit.notices import Notices
from eventlog.audit.report import AuditReport
from eventlog.audit.standing_rule import with_report
from eventlog.formats.errors import EvidenceError
from eventlog.formats.names import is_chain_name
from eventlog.formats.standing import StandingNote, read_standing, sign_standing, verify_standing
from eventlog.store.errors import CredentialsRefusedError, SigningError, StoreError
from eventlog.store.interface.standings import StandingRow, StandingStore

_NOT_KEPT = "what stands of a chain could not be kept"
_NOT_CHECKED = "what stands of the chains could not be checked"
_PUT_RIGHT = "what the database says of a chain was changed, removed or put back, and what audits found stands again"
_TRIES = 5
_AT_ONCE = 1000


class _Known(NamedTuple):
    """What is known of a chain; ``note`` is its signed text. ``in_place``: it is what the database says."""

    standing: StandingNote | None
    note: bytes
    in_place: bool


class StandingKeeper:
    """Keeps standings. Without ``anchoring`` nothing is signed, and what is stored is believed."""

    def __init__(
        self,
        store: StandingStore,
        anchoring: Anchoring | None,
        notices: Notices,
        *,
        origin: str,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._anchoring = anchoring
        self._notices = notices
        self._origin = origin
        self._clock = clock

    def record(self, report: AuditReport) -> None:
        """Take what a report says into the standing of its chain. It must not stop an audit: failures are told.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        # Most reports say nothing new: those without a finding of audits of what came since, or of audits under way.
        if report.findings_total or (report.mode == "full" and report.status != "running"):
            self._caught(lambda: self._record(report), _NOT_KEPT, report.chain)

    def pass_over(self, report: AuditReport) -> None:
        """Take an audit that had nothing to say and keeps no report: of no chain, or of one that does not exist.

        What was found before stands no more. Of a chain in which nothing stood nothing is said, as it is none.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """

        def take_back() -> None:
            if not report.chain or report.chain in self.chains():
                self._record(replace(report, status="intact"))

        if report.mode == "full":
            self._caught(take_back, _NOT_KEPT, report.chain)

    def check(self) -> None:
        """Put right what the database says of chains in which something was found, and tell if that was needed.

        It costs a listing of the anchors and three queries, whatever the number of chains, and a signature to verify
        for each chain in which anything was ever found.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        self._caught(self._check, _NOT_CHECKED, "")

    def stands(self, chain: str) -> bool:
        """Whether something stands in a chain; if that can't be told, it is taken to be so.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        try:
            notes = self._notes()
            claimed = notes.time(chain) if notes else None
            known = self._known(chain, self._store.of([chain]).get(chain), claimed)
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._notices.failed(_NOT_CHECKED, chain, error)
            return True
        return known.standing is not None and known.standing.total > 0

    def open_findings(self) -> int:
        """Count the findings that stand, in all chains.

        Raises:
            StoreError: the database can't be reached.
        """
        return sum(standing.total for row in self._tampered() if (standing := _read(row)) is not None)

    def chains(self) -> list[str]:
        """List the chains in which something stands: what is gone of them must still be looked for.

        Raises:
            StoreError: the database can't be reached.
        """
        return [row.chain for row in self._tampered() if row.chain]

    def _record(self, report: AuditReport) -> None:
        """Read, change and write, until nobody else has written in between."""
        # What is found under a name that no chain can have is told with what belongs to no chain.
        chain = report.chain if is_chain_name(report.chain) else ""
        notes = self._notes()
        for _ in range(_TRIES):
            row = self._store.of([chain]).get(chain)
            known = self._known(chain, row, notes.time(chain) if notes else None)
            before = known.standing or StandingNote(origin=self._origin, chain=chain, time=0)
            after = with_report(before, report, self._clock())
            if after is before and known.in_place:
                return
            note = self._signed(after)
            fresh = StandingRow(chain, note, after.verdict)
            # Only what was read is replaced, or what another audit has found meanwhile could be lost; what no audit can
            # have written is, whatever it is. The database comes first, as ``_check`` makes a note that is missing.
            try:
                if known.in_place and not self._store.swap(row, fresh):
                    continue
                if not known.in_place:
                    self._store.put(fresh)
            except StoreError:  # somebody may have made the database refuse it: then it stands among the anchors alone
                self._keep_note(after, note, before.total)
                raise
            self._keep_note(after, note, before.total)
            return
        raise StoreError("other audits go on changing it")

    def _check(self) -> None:
        if (notes := self._notes()) is None:
            return
        # The anchors are asked before the database, where a standing is written first.
        times = notes.times()
        rows = self._store.of(list(times)) if times else {}
        for chain, time in times.items():
            known = self._known(chain, rows.get(chain), time)
            if not known.in_place and known.standing is not None:
                self._store.put(StandingRow(chain, known.note, known.standing.verdict))
                why = StoreError(f"restored as of {known.standing.time} ms, when {known.standing.total} findings stood")
                self._notices.failed(_PUT_RIGHT, chain, why)
        for row in self._tampered():
            standing = self._verified(row)
            if standing is not None and times.get(row.chain, -1) < standing.findings[0].found:
                notes.keep(standing, row.note)  # whoever wrote it did not get so far

    def _known(self, chain: str, row: StandingRow | None, claimed: int | None) -> _Known:
        """Decide what is known of a chain, from its row and its newest note, whose name has the time ``claimed``."""
        stored = None if row is None else self._verified(row)
        notes = self._notes()
        # A row that is as new as the newest note is what audits have written last. The names of notes are not signed,
        # so one that claims to be newer than the row is read.
        if notes is not None and claimed is not None and (stored is None or stored.time < claimed):
            kept = notes.newest(chain)
            if kept is not None and (stored is None or stored.time < kept[0].time):
                return _Known(kept[0], kept[1], in_place=False)
        return _Known(stored, b"" if row is None else row.note, in_place=row is None or stored is not None)

    def _verified(self, row: StandingRow) -> StandingNote | None:
        """Read a row as an audit of this log has written it; None: it is none."""
        try:
            if self._anchoring is None:
                found = read_standing(row.note)
            else:
                found = verify_standing(row.note, self._anchoring.history.public_keys, self._origin)
        except EvidenceError:
            return None
        return found if (found.chain, found.verdict) == (row.chain, row.verdict) else None

    def _signed(self, standing: StandingNote) -> bytes:
        """Sign a standing. What was found is shown unsigned rather than not at all, if the key can't be had.

        Raises:
            SigningError: the key can't be had, and nothing was found.
        """
        try:
            return sign_standing(standing, self._anchoring.signers if self._anchoring else ())
        except SigningError as error:
            if not standing.total:
                raise
            self._notices.failed(_NOT_KEPT, standing.chain, error)
            return sign_standing(standing, ())

    def _keep_note(self, standing: StandingNote, note: bytes, before: int) -> None:
        """Keep a signed standing among the anchors if something stands, and nothing stood ``before``."""
        notes = self._notes()
        if notes is not None and standing.total and not before and not note.endswith(b"\n\n"):
            notes.keep(standing, note)

    def _tampered(self) -> Iterator[StandingRow]:
        """Read all rows that say that something stands, that of no chain first."""
        yield from (row for row in self._store.of([""]).values() if row.verdict == "tampered")
        after = ""
        while rows := self._store.with_verdict("tampered", after, _AT_ONCE):
            yield from rows
            after = rows[-1].chain

    def _notes(self) -> StandingNotes | None:
        if self._anchoring is None:
            return None
        history = self._anchoring.history
        return StandingNotes(self._anchoring.anchors, self._origin, lambda: history.public_keys)

    def _caught(self, work: Callable[[], None], what: str, chain: str) -> None:
        try:
            work()
        except CredentialsRefusedError:
            raise
        except (StoreError, EvidenceError) as error:
            self._notices.failed(what, chain, error if isinstance(error, StoreError) else StoreError(str(error)))


def _read(row: StandingRow) -> StandingNote | None:
    try:
        return read_standing(row.note)
    except EvidenceError:
        return None
