"""What a round does for many chains at once, before it audits each: their pending events are settled together."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from eventlog.store.errors import CredentialsRefusedError, StoreError
from eventlog.store.interface.audits import AuditDatabase

NOTHING: Mapping[str, str] = MappingProxyType({})


class Preparation:
    """The chains that the round under way has just settled. Audits of other threads only read it."""

    def __init__(self, audits: AuditDatabase) -> None:
        self._audits = audits
        self.settled = NOTHING
        """These chains, with their origins: their audits need not settle, nor ask for the origin."""

    def prepare(self, chains: Sequence[str]) -> None:
        """Settle what is pending of chains that are to be audited next; those before them are forgotten.

        Raises:
            CredentialsRefusedError: the database refuses the password.
        """
        self.settled = NOTHING
        try:
            self.settled = self._audits.settle_many(chains) if chains else NOTHING
        except CredentialsRefusedError:
            raise
        except StoreError:  # then each audit settles its own chain, and says what keeps it from that
            return
