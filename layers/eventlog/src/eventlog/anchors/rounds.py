"""Where finished full rounds are kept: signed notes among the anchors, under a name that no chain can have.

eventlog.rounds/<when it started, 15 digits>-<round id>.note
"""

from collections.abc import Callable, Sequence

from eventlog.anchors.store import AnchorStore
from eventlog.chain_names import OWN_PREFIX
from eventlog.formats.errors import EvidenceError
from eventlog.formats.note import Signer
from eventlog.formats.round import RoundNote, sign_round, verify_round

ROUNDS = f"{OWN_PREFIX}rounds"
"""In the anchor store this name is no chain's."""
_WEEK_MILLIS = 7 * 86_400_000
_TRIES = 100
"""Notes that are read at most to find one that can be believed."""


class RoundNotes:
    """Keeps and reads the notes of one log, named ``origin``; ``public_keys``: those whose signatures count."""

    def __init__(self, anchors: AnchorStore, origin: str, public_keys: Callable[[], Sequence[bytes]]) -> None:
        self._anchors = anchors
        self._origin = origin
        self._public_keys = public_keys

    def keep(self, note: RoundNote, signers: Sequence[Signer]) -> bool:
        """Sign a note and keep it for good; False: it is there already.

        Raises:
            StoreError: the anchors or a key can't be reached.
        """
        return self._anchors.create(ROUNDS, round_key(note), sign_round(note, signers))

    def newest(self, latest: int) -> RoundNote | None:
        """Find the full round that started last, of those that can be believed and finished by ``latest`` milliseconds.

        Whatever else stands there is passed over, as it proves nothing: no round, and that is an alarm.

        Raises:
            StoreError: the anchors or a key can't be reached.
        """
        # As a rule there is one of the last days. Else all are listed, which are one a day.
        recent = f"{max(0, latest - _WEEK_MILLIS):015}"
        keys = list(self._anchors.keys(ROUNDS, recent)) or list(self._anchors.keys(ROUNDS))
        public = self._public_keys()
        for key in reversed(keys[-_TRIES:]):
            try:
                note = verify_round(self._anchors.read(ROUNDS, key) or b"", public, self._origin)
            except EvidenceError:
                continue
            if key == round_key(note) and note.mode == "full" and note.finished <= latest:
                return note
        return None


def round_key(note: RoundNote) -> str:
    """Return the key that a round is kept under; keys sort by when rounds started."""
    return f"{note.started:015}-{note.round_id}.note"
