"""``EventLog``: the log for a Python program. It checks whatever in the log's answers can be checked."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Unpack
from urllib.parse import quote

from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt
from eventlog_client import appending, appends, reading
from eventlog_client.answers import AuditReport, ChainInfo, DamagedChain, parse_report
from eventlog_client.appends import DEFAULT_CHAIN, NewEvent
from eventlog_client.arguments import ExportSelection, Filters, Moment, OneOrMore, checked, name, number
from eventlog_client.checkpoint_check import Prove, checker_of
from eventlog_client.exports import export
from eventlog_client.keys import keys_of
from eventlog_client.live import Tail, Verified, patiently
from eventlog_client.looking import LOOK, Look, filters_of, total_of
from eventlog_client.proving import ProvingLog
from eventlog_client.search import Search
from eventlog_client.search_fields import ChainFields, checking, read_fields

POLL_SECONDS = 0.5


class EventLog(ProvingLog):
    """One log over HTTP: written to, read, searched and followed; a context manager, and safe to share between threads.

    ``key`` pins verifier keys (vkeys) of chains, from the user's own configuration and never from the log.
    With ``verify`` (the default) every receipt and event is checked by itself and against what this client saw before.

    Every method may raise RefusedError (the log says no), UnreachableError (it doesn't answer), UnexpectedAnswerError
    (something else answers) and LogMisbehavedError (it says what can't be true; the error holds the evidence).
    """

    def append(
        self,
        event_type: str,
        source_id: str,
        payload: Mapping[str, Any],
        *,
        timestamp: Moment = None,
        event_id: str | None = None,
        chain: str | None = None,
    ) -> Receipt:
        """Append one event; return its receipt. An event without an id gets one here, which makes retries safe.

        With an id and without a time, an event that is there already is the same one if all but the time is equal.
        That is looked up, which takes the right to read; without it such an event is refused with 409.
        """
        event = NewEvent(event_type, source_id, payload, timestamp, event_id)
        return self._accept([appending.one(self.transport, event, chain, self.get)])[0]

    def append_batch(self, events: Iterable[NewEvent | Mapping[str, Any]], chain: str | None = None) -> list[Receipt]:
        """Append up to 500 events to one chain, in order, all or none; a mapping is an event in the API's own form."""
        return self._accept(appending.batch(self.transport, events, chain, self.get))

    def events(
        self, *, chain: str = DEFAULT_CHAIN, limit: int | None = None, **filters: Unpack[Filters]
    ) -> Iterator[Event]:
        """Return all events that match, or the first ``limit``, page after page as they are read.

        Filters are those of GET /api/v1/events. Types and sources are one name or any number of them in a list, a set,
        a generator or the like (none is no filter), times are datetimes with a time zone or RFC 3339 text. A ``key``,
        ``user:u-17``, is a search field's: an event must have all of them, and each that is shown is checked to.

        Raises:
            TypeError: there is no such filter, or it has another type; nothing was asked.
            ValueError: a datetime has no time zone, or a number is negative.
        """
        query = {"chain": name(chain, "chain"), **checked(filters)}
        return reading.events(self.transport, self._reader(query), query, number(limit, "limit"))

    def look(
        self,
        search: Search,
        *,
        chain: str = DEFAULT_CHAIN,
        most: int | None = LOOK,
        cursor: str | None = None,
        advance: Callable[[int], None] = lambda _: None,
    ) -> Look:
        """Search events for words: those that the log finds by the rest of the search are read and looked at here.

        ``most`` bounds how many are read (None: all), ``cursor`` goes on where another look of this very search ended.
        ``advance`` counts those that were looked at. The search's own chain comes before ``chain``.
        """
        chain = search.chain or name(chain, "chain")
        query = {"chain": chain, **checked(filters_of(search))}
        total = total_of(self.transport, chain, search) if cursor is None else None
        pages = reading.pages(self.transport, self._reader(query), query, cursor=cursor)
        return Look(pages, search.words, total, most, advance=advance)

    def events_by_seq(self, chain: str, start: int, end: int | None = None) -> Iterator[Event]:
        """Return the events [start, end) in order; each follows the one before it."""
        return reading.linked(self.events(chain=chain, sort="seq", from_seq=start, to_seq=end), start)

    def tail(
        self,
        chain: str = DEFAULT_CHAIN,
        from_seq: int | None = None,
        *,
        event_type: OneOrMore = None,
        source_id: OneOrMore = None,
        key: OneOrMore = None,
        verified: Verified | None = None,
    ) -> Iterator[Event]:
        """Return an endless iterator of events as they come, from ``from_seq`` or from now on; it survives outages.

        Unless they are filtered, each event is checked to be linked to the one before. With ``verified``, every signed
        checkpoint is checked too, with the pinned key and against the tree of the events; ``verified`` gets each one.

        Raises:
            KeyNeededError: ``verified`` needs a pinned key of the chain.
        """
        # Links and trees need every event. A filter leaves some out, so filtered events are checked one by one only.
        filters: Filters = {"from_seq": from_seq, "event_type": event_type, "source_id": source_id, "key": key}
        query = {"chain": name(chain, "chain"), **checked(filters)}
        every = not any(query[name] for name in ("event_type", "source_id", "key"))
        checker = None
        if verified:
            checker = checker_of(self._prover(chain), keys_of(self.keys, chain), chain, every=every)
        tail = Tail(
            transport=self.transport,
            filters=query,
            read=self._reader(query),
            size=lambda: reading.size(self.transport, chain),
            sleep=self._sleep,
            checked=self._verify,
            linked=every,
            checker=checker,
            verified=verified or (lambda _: None),
        )
        return tail.events()

    def search_fields(self, chain: str = DEFAULT_CHAIN) -> ChainFields:
        """Return what a chain can be searched by, and how far it is indexed."""
        return read_fields(self.transport, name(chain, "chain"))

    def chains(self) -> Iterator[ChainInfo | DamagedChain]:
        """Return all chains by name; of one that is damaged there is no more than that."""
        return reading.chains(self.transport)

    def chain(self, chain: str = DEFAULT_CHAIN) -> ChainInfo:
        """Return a chain's head."""
        return reading.chain(self.transport, name(chain, "chain"))

    def export(
        self,
        destination: IO[bytes],
        chain: str = DEFAULT_CHAIN,
        *,
        advance: Callable[[int], None] = lambda _: None,
        **selection: Unpack[ExportSelection],
    ) -> int:
        """Write the evidence bundle of a selection, part after part; return the number of parts.

        A selection is from_seq and to_seq, or start_time and end_time. Parts are written as they come, without a check:
        ``formats.bundle_check.verify_bundle`` checks the file.

        Raises:
            TypeError, ValueError: as ``events``.
        """
        return export(self.transport, destination, {"chain": name(chain, "chain"), **checked(selection)}, advance)

    def audit(self, chain: str = DEFAULT_CHAIN, mode: str = "incremental", wait: float = 300.0) -> AuditReport:
        """Have the log audit a chain; return the report after at most ``wait`` seconds: look at its ``status``."""
        order = {"chain": name(chain, "chain"), "mode": name(mode, "mode")}
        report = parse_report(self.transport.post("/audits", appends.json_text(order)).object())
        deadline = time.monotonic() + wait
        while report.status == "running" and time.monotonic() < deadline:
            self._sleep(POLL_SECONDS)
            report = parse_report(self.transport.get(f"/audits/{quote(report.audit_id, safe='')}").object())
        return report

    def _reader(self, query: Mapping[str, Any]) -> Callable[[bytes], Event]:
        return checking(self._event, query.get("key") or [], lambda: self.search_fields(query["chain"]))

    def _prover(self, chain: str) -> Prove:
        return lambda first, second: patiently(lambda: self.consistency(first, second, chain), self._sleep)

    def _accept(self, receipts: list[Receipt]) -> list[Receipt]:
        if self._verify:
            for receipt in receipts:
                self._remember(receipt)
        return receipts
