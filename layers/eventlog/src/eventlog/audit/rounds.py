"""The schedule's rounds: where they are kept between invocations, and the note of each full one that is finished.

What the database says of a round is believed only with a voucher that is signed and not old. That a full round was
finished is signed and kept among the anchors, and how long ago the last one began is read from there alone.
"""

from collections.abc import Callable
from functools import partial

from eventlog.anchors.anchoring import Anchoring
from eventlog.anchors.rounds import RoundNotes
from eventlog.audit.notices import Notices
from eventlog.audit.report import Mode
from eventlog.audit.round import NAMES, Round, encode_round, read_round, round_message
from eventlog.audit.vouchers import FUTURE_MILLIS, Vouchers
from eventlog.chain_names import REGISTRY
from eventlog.formats.round import RoundNote
from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import ReportStore
from eventlog.stored.errors import NotOursError


class Rounds:
    """Keeps rounds. Without ``anchoring`` nothing is signed, and what is stored is believed."""

    def __init__(
        self,
        store: ReportStore,
        anchoring: Anchoring | None,
        vouchers: Vouchers,
        notices: Notices,
        *,
        origin: str,
        clock: Callable[[], int],
    ) -> None:
        # Notes are kept and read through the anchoring, and not through a reader made here: its keys may change.
        self._store = store
        self._anchoring = anchoring
        self._vouchers = vouchers
        self._notices = notices
        self._origin = origin
        self._clock = clock

    def find(self, mode: Mode, *, own: bool = True) -> Round | None:
        """Find the round in this mode that another invocation has left unfinished; None if none can be believed.

        A chain whose audit is over, and was not counted, is left again: the process that ended it died before it stored
        the round. Nobody would ever resume that audit, and the round would wait for it. But only where the round is the
        invocation's ``own``, of which there is one at a time: else that process may be at work yet, and store it.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        found = self._stored(mode)
        if found is not None and found.begun and own:
            found.leave(self._over(found))
        return None if found is None or found.is_done() else found

    def is_patient(self, found: Round) -> bool:
        """Whether a full round can still wait for its audits that ran out of time, before a new one begins."""
        return bool(found.begun) and self._clock() - found.started_at <= self._vouchers.max_age

    def settle(self, found: Round) -> bool:
        """Store how far a round is, or that it is finished; return whether it is, and was not before.

        Two processes may have worked on it: what either has done is done. A later round is left as it is.
        """
        stored = self._stored(found.mode)
        if stored is not None:
            found.join(stored)
        finished = found.is_done() and self._finish(found)
        if stored is not None and stored.round_id != found.round_id and stored.started_at > found.started_at:
            return finished
        # A round that is finished in one invocation need not be stored, unless what is stored is to be gone on with.
        if not found.is_done() or (stored is not None and not stored.is_done()):
            self._save(found)
        return finished

    def full_age(self) -> float | None:
        """Compute how many seconds ago the newest full round that was finished has begun, by its signed note.

        None: there is no such note, the anchors can't be read, or there are none.
        """
        try:
            note = self._newest()
        except StoreError as error:
            self._notices.failed("when the last full round was is not known", "", error)
            return None
        return None if note is None else max(0, self._clock() - note.started) / 1000

    def is_finished(self, round_id: str) -> bool:
        """Whether this is the full round that began last of those that are finished, by its signed note."""
        try:
            note = self._newest()
        except StoreError:
            return False
        return note is not None and note.round_id == round_id

    def _newest(self) -> RoundNote | None:
        if self._anchoring is None:
            return None
        return self._notes(self._anchoring).newest(self._clock() + FUTURE_MILLIS)

    def _stored(self, mode: Mode) -> Round | None:
        """Read what is stored of a round, if it can be believed. If not, the chains are audited once more."""
        try:
            raw = self._store.get(NAMES[mode])
            if raw is None:
                return None
            found, voucher = read_round(raw, mode)
            refusal = self._vouchers.refusal(partial(round_message, raw, self._origin), voucher)
        except CredentialsRefusedError:
            raise
        except (StoreError, NotOursError):
            return None
        return None if refusal or found.started_at > self._clock() + FUTURE_MILLIS else found

    def _over(self, found: Round) -> set[str]:
        """Find the chains whose audits have begun and are not running any more; none, if that can't be told."""
        try:
            return set(found.begun) - self._store.running(found.begun, found.mode)
        except CredentialsRefusedError:
            raise
        except StoreError:
            return set()

    def _finish(self, found: Round) -> bool:
        """Keep the note of a full round; return whether the round counts."""
        if self._anchoring is None or found.mode != "full":
            return True
        try:
            note = found.note(self._origin, self._clock())
            return self._notes(self._anchoring).keep(note, self._anchoring.signers)
        except StoreError as error:
            self._notices.failed("a finished full round could not be noted among the anchors", "", error)
            found.left.append(REGISTRY)  # so that a later invocation comes back to it
            return False

    def _save(self, found: Round) -> None:
        voucher = self._vouchers.sign(partial(round_message, encode_round(found), self._origin))
        try:
            self._store.save(NAMES[found.mode], encode_round(found, voucher))
        except CredentialsRefusedError:
            raise
        except StoreError as error:
            self._notices.failed("how far a round of audits is could not be stored", "", error)

    def _notes(self, anchoring: Anchoring) -> RoundNotes:
        return RoundNotes(anchoring.anchors, self._origin, lambda: anchoring.history.public_keys)
