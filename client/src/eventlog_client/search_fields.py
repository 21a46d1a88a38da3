"""What a log can be searched by, as it says itself, and whether what it shows fits what was asked for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eventlog.formats.event import Event, is_erased
from eventlog.formats.event_json import receipt_of
from eventlog.formats.search_keys import NO_FIELDS, DeclarationError, SearchFields, name_of
from eventlog_client.appends import receipt_fields
from eventlog_client.errors import LogMisbehavedError, UnexpectedAnswerError
from eventlog_client.transport import Transport


@dataclass(frozen=True, slots=True)
class ChainFields:
    """The search fields of a log: every version that it tells of, the one in force last.

    ``indexed_version``: the lowest that any event of the chain is indexed by; 0: one is not indexed at all.
    """

    chain: str
    versions: tuple[SearchFields, ...]
    indexed_version: int

    @property
    def newest(self) -> SearchFields:
        """The declaration in force."""
        return self.versions[-1] if self.versions else NO_FIELDS

    def is_complete(self, keys: Iterable[str]) -> bool:
        """Whether all events with these keys are found: none is indexed by an older rule for their fields."""
        since = [each for each in self.versions if each.version >= self.indexed_version]
        names = {name_of(key) for key in keys}
        same = all(each.fields.get(name) == self.newest.fields.get(name) for each in since for name in names)
        return self.indexed_version > 0 and same

    def check(self, event: Event, keys: Iterable[str]) -> None:
        """Check that an event which is shown for these keys has them, by a rule that was ever in force.

        Raises:
            LogMisbehavedError: it has not.
        """
        # The log tells of its last versions only. An event that was indexed by one before them accuses nobody.
        wanted = list(keys)
        if self.versions and self.versions[0].version > 1:
            return
        if is_erased(event.entry) or not any(version.has(event.entry.payload, wanted) for version in self.versions):
            why = f"event {event.seq} is shown as one that has {', '.join(wanted)}, and has not"
            raise LogMisbehavedError(why, [receipt_fields(receipt_of(event))])


def read_fields(transport: Transport, chain: str) -> ChainFields:
    """Ask a log what a chain can be searched by.

    Raises:
        UnexpectedAnswerError: the answer is not what this API says.
    """
    given = transport.get("/search-fields", {"chain": chain}).object()
    versions, lowest = given.get("versions"), given.get("indexed_version")
    if not isinstance(versions, list) or type(lowest) is not int:
        raise UnexpectedAnswerError("the answer does not say what can be searched by")
    try:
        return ChainFields(chain, tuple(SearchFields.of(each) for each in versions), lowest)
    except DeclarationError as error:
        raise UnexpectedAnswerError(str(error)) from error


def checking(
    read: Callable[[bytes], Event], keys: list[str], fields: Callable[[], ChainFields]
) -> Callable[[bytes], Event]:
    """Return what reads an event and checks that it has the keys that were asked for; the fields are asked for once."""
    if not keys:
        return read
    known: list[ChainFields] = []

    def checked(line: bytes) -> Event:
        event = read(line)
        if not known:
            known.append(fields())
        known[0].check(event, keys)
        return event

    return checked
