"""``EventLog``: the log for a Python program. It checks whatever in the log's answers can be checked."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import IO, Any, Self, Unpack
from urllib.parse import quote

import httpx2

from eventlog.formats.event import Event
from eventlog.formats.event_json import Receipt, receipt_of
from eventlog.formats.head_proof import ProvenHead
from eventlog.formats.members import parse_json
from eventlog_client import appending, appends, evidence, reading, standings
from eventlog_client.answers import AuditReport, ChainInfo, Consistency, DamagedChain, SignedCheckpoint, parse_report
from eventlog_client.appends import DEFAULT_CHAIN, NewEvent
from eventlog_client.arguments import ExportSelection, Filters, Moment, OneOrMore, checked, name, number
from eventlog_client.checkpoint_check import Prove, checker_of
from eventlog_client.errors import LogMisbehavedError, RefusedError
from eventlog_client.exports import export
from eventlog_client.keys import keys_of, pinned
from eventlog_client.live import Tail, Verified, patiently
from eventlog_client.looking import LOOK, Look, filters_of, total_of
from eventlog_client.memory import SeenReceipts
from eventlog_client.proofs import Proof
from eventlog_client.search import Search
from eventlog_client.search_fields import ChainFields, checking, read_fields
from eventlog_client.standings import ChainStanding, LogStanding
from eventlog_client.transport import Transport

POLL_SECONDS = 0.5


class EventLog:
    """One log over HTTP; a context manager, and safe to share between threads.

    ``key`` pins verifier keys (vkeys) of chains, from the user's own configuration and never from the log.
    With ``verify`` (the default) every receipt and event is checked by itself and against what this client saw before.

    Every method may raise RefusedError (the log says no), UnreachableError (it doesn't answer), UnexpectedAnswerError
    (something else answers) and LogMisbehavedError (it says what can't be true; the error holds the evidence).
    """

    def __init__(
        self,
        url: str,
        *,
        key: OneOrMore = None,
        token: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        verify: bool = True,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # ``transport`` and ``sleep`` are for tests; the keys are parsed first, so that a bad one opens no connection.
        self.keys = pinned(key)
        self.transport = Transport(url, token=token, timeout=timeout, retries=retries, inner=transport, sleep=sleep)
        self._sleep = sleep
        self._verify = verify
        self._seen = SeenReceipts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

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

    def get(self, event_id: str, chain: str = DEFAULT_CHAIN) -> Event:
        """Return one event; it can be found as soon as it is acknowledged."""
        path = f"/events/{quote(name(event_id, 'event_id'), safe='')}"
        body = self.transport.get(path, {"chain": name(chain, "chain")}).body
        event = self._event(body)
        if (event.entry.event_id, event.entry.chain) != (event_id, chain):
            raise LogMisbehavedError(
                f"asked for event {event_id} of chain {chain}, and got another", [parse_json(body)]
            )
        return event

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

    def standing(self) -> LogStanding:
        """Return what audits have found of all chains and still stands, until a later full audit is clean."""
        return standings.of_log(self.transport)

    def chain_standing(self, chain: str = DEFAULT_CHAIN) -> ChainStanding:
        """Return what stands of a chain; if a key of it is pinned, the note that says so must be signed by it.

        Raises:
            EvidenceError: it is not.
        """
        return standings.of_chain(self.transport, chain, keys_of(self.keys, chain))

    def checkpoint(self, chain: str = DEFAULT_CHAIN, size: int | None = None) -> SignedCheckpoint:
        """Return the newest signed checkpoint, or the one of a size; verified if a key of the chain is pinned."""
        data = self.transport.get(f"{self._at(chain)}/checkpoint", {"size": number(size, "size")}).body
        return evidence.checkpoint(data, keys_of(self.keys, chain), size)

    def consistency(self, first: int, second: int, chain: str = DEFAULT_CHAIN) -> Consistency:
        """Return a proof that the tree of size ``second`` extends that of size ``first``."""
        path = f"{self._at(chain)}/consistency"
        return evidence.consistency(
            self.transport.get(path, {"first": number(first, "first"), "second": number(second, "second")}).object(),
            first,
            second,
        )

    def head(self, chain: str = DEFAULT_CHAIN) -> tuple[dict[str, Any], ProvenHead]:
        """Return the proof that a chain's head is one that the log shows everybody, and what it shows.

        Raises:
            KeyNeededError: no key of the chain is pinned.
            LogMisbehavedError: it does not verify.
        """
        evidence.need_keys(keys_of(self.keys, name(chain, "chain")), chain)
        return evidence.head(self.transport.get(f"{self._at(chain)}/head", {}).object(), chain, self.keys)

    def proof(self, event: str | Receipt | Event, chain: str = DEFAULT_CHAIN, size: int | None = None) -> Proof:
        """Return an inclusion proof of an event, which is given by its id and chain, or by its receipt.

        What can be checked is checked: the path, the leaf if there is a receipt, the checkpoint if a key is pinned.
        """
        known = receipt_of(event) if isinstance(event, Event) else event
        event_id, chain = (known.event_id, known.chain) if isinstance(known, Receipt) else (known, chain)
        path = f"/events/{quote(name(event_id, 'event'), safe='')}/proof"
        answer = self.transport.get(path, {"chain": name(chain, "chain"), "size": number(size, "size")})
        receipt = known if isinstance(known, Receipt) else None
        return evidence.proof(answer.object(), chain, receipt, keys_of(self.keys, chain))

    def prove(self, receipt: Receipt | Event, wait: float = 0.0) -> Proof:
        """Exchange a receipt, which is only the log's word, for a proof against a checkpoint signed by a pinned key.

        ``wait`` is how many seconds to wait for a checkpoint that covers it.

        Raises:
            KeyNeededError: no key of the chain is pinned.
        """
        # If the log has no proof (404), it may be too early for a checkpoint, or the log may deny the event. The second
        # would be misconduct, so the event itself is asked for.
        known = receipt_of(receipt) if isinstance(receipt, Event) else receipt
        evidence.need_keys(keys_of(self.keys, known.chain), known.chain)
        self._remember(known)
        try:
            return evidence.await_proof(lambda: self.proof(known), wait, self._sleep)
        except RefusedError as error:
            if error.status == 404:
                evidence.check_not_denied(self.get, known)
            raise

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

    def tlog(self, chain: str, path: str) -> bytes:
        """Return a resource of the chain's C2SP tlog-tiles interface, byte for byte."""
        return self.transport.get(f"{self._at(chain)}/tlog/{path}").body

    @staticmethod
    def _at(chain: str) -> str:
        return f"/chains/{quote(name(chain, 'chain'), safe='')}"

    def _event(self, body: bytes) -> Event:
        return evidence.event(body, self._remember if self._verify else None)

    def _reader(self, query: Mapping[str, Any]) -> Callable[[bytes], Event]:
        return checking(self._event, query.get("key") or [], lambda: self.search_fields(query["chain"]))

    def _prover(self, chain: str) -> Prove:
        return lambda first, second: patiently(lambda: self.consistency(first, second, chain), self._sleep)

    def _accept(self, receipts: list[Receipt]) -> list[Receipt]:
        if self._verify:
            for receipt in receipts:
                self._remember(receipt)
        return receipts

    def _remember(self, receipt: Receipt) -> None:
        self._seen.check(receipt, keys_of(self.keys, receipt.chain))
