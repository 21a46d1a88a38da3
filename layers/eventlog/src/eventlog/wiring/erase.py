"""What the erase function works with."""

from functools import cached_property

from eventlog.anchors.orders import GOVERNANCE, OrderNotes
from eventlog.anchors.places import open_anchors
from eventlog.clock import now_millis
from eventlog.errors import NotSetUpError
from eventlog.formats.note import Signer, parse_vkey
from eventlog.governance.anchored import Anchored
from eventlog.governance.erasing import Erasing
from eventlog.governance.notices import ErasureLog
from eventlog.governance.ordering import Ordering
from eventlog.governance.shown import Shown
from eventlog.settings import ConfigurationError, listed
from eventlog.store.mongo.erasures import MongoErasures
from eventlog.store.mongo.evidence import MongoEvidenceReader
from eventlog.wiring.connection import Connected, Wiring, per_connection


class EraseWiring(Wiring):
    """Orders erasures and holds, and carries erasures out. It has the governance key, and no other function does."""

    @property
    def ordering(self) -> Ordering:
        """Return what gives orders; where nothing is set up no connection is tried, as there need be no database's URI.

        Raises:
            NotSetUpError: there is no governance key, or nothing is anchored.
        """
        self._check()
        return self._ordering

    @per_connection
    def _ordering(self, connected: Connected) -> Ordering:
        settings = self.settings
        return Ordering(
            connected.log,
            MongoErasures(connected.log),
            self._notes,
            signers=lambda: self._signers,
            public_keys=lambda: settings.governance_public_keys,
            origin=settings.origin,
            approvals=settings.erasure_approvals,
            clock=now_millis,
        )

    @property
    def erasing(self) -> Erasing:
        """Return what carries out erasures; it raises what ``ordering`` raises."""
        self._check()
        return self._erasing

    @per_connection
    def _erasing(self, connected: Connected) -> Erasing:
        return Erasing(self.ordering, self._anchored(connected), ErasureLog())

    @per_connection
    def shown(self, connected: Connected) -> Shown:
        """Build what says how far orders are; it raises what ``ordering`` raises."""
        return Shown(self.ordering, self._anchored(connected))

    def _anchored(self, connected: Connected) -> Anchored:
        return Anchored(MongoEvidenceReader(connected.log), lambda: self._anchor_keys)

    @cached_property
    def _notes(self) -> OrderNotes:
        """The orders beside the anchors."""
        settings = self.settings
        place = f"{(settings.anchors or '').rstrip('/')}/{GOVERNANCE}"
        anchors = open_anchors(place, settings.anchor_retention_days)
        return OrderNotes(anchors, settings.origin, lambda: settings.governance_public_keys)

    @cached_property
    def _signers(self) -> list[Signer]:
        """The governance key.

        Raises:
            ConfigurationError: it is none of those that are known to sign orders, so nobody would believe it.
        """
        from eventlog.anchors.signing import open_signer  # noqa: PLC0415  cryptography: 35 ms, and no start signs

        signer = open_signer(self.settings.governance_signing_key)
        if signer.public_key not in self.settings.governance_public_keys:
            raise ConfigurationError("EVENTLOG_GOVERNANCE_SIGNING_KEY is none of the EVENTLOG_GOVERNANCE_KEYS")
        return [signer]

    @cached_property
    def _anchor_keys(self) -> list[bytes]:
        """The public keys whose anchors count. Of the keys that sign them only the public part is asked for."""
        from eventlog.anchors.signing import open_signer  # noqa: PLC0415  as above

        signing = (open_signer(spec).public_key for spec in listed(self.settings.signing_keys))
        retired = (parse_vkey(vkey).public_key for vkey in listed(self.settings.retired_keys))
        return list(dict.fromkeys([*signing, *retired]))

    def _check(self) -> None:
        settings = self.settings
        if not settings.governance_keys or not settings.governance_signing_key:
            raise NotSetUpError(
                "This log erases and holds nothing: EVENTLOG_GOVERNANCE_KEYS and EVENTLOG_GOVERNANCE_SIGNING_KEY are "
                "not both set."
            )
        if settings.anchors is None:
            raise NotSetUpError("This log erases and holds nothing: nothing is anchored (EVENTLOG_ANCHORS).")
