"""What programs give to the client: every kind of collection and of time works, and anything else is refused unsent."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from eventlog.formats.bundle import SeqRange
from eventlog_client import EventLog, NewEvent
from eventlog_client.appends import receipt_fields
from eventlog_client.cli import main
from tests.support.each import each
from tests.support.evidence import bundle_lines, events
from tests.unit.test_client_receipts import receipts

MOMENT = datetime(2026, 11, 23, 14, 34, 56, 789999, tzinfo=timezone(timedelta(hours=2)))
TEXT = "2026-11-23T12:34:56.789Z"


class Recorder:
    """Keeps what is asked, and answers with nothing that matches."""

    def __init__(self) -> None:
        self.asked: list[httpx2.Request] = []
        self.log = EventLog("http://log", retries=0, verify=False, transport=httpx2.MockTransport(self))

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if request.url.path.endswith("/export"):
            return httpx2.Response(200, content=b"".join(bundle_lines(list(events(1)), [0], SeqRange(0, 1))))
        if request.url.path.endswith("/stream"):
            return httpx2.Response(404, json={"title": "Not Found"})
        return httpx2.Response(200, content=b"")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(str(self.asked[-1].url)).query)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def generated(*values: str) -> Iterator[str]:
    yield from values


@each(
    "given, sent",
    [
        ("t", ["t"]),
        (["t", "u"], ["t", "u"]),
        (("t", "u"), ["t", "u"]),
        ({"t"}, ["t"]),
        (frozenset({"t"}), ["t"]),
        ({"t": 1, "u": 2}.keys(), ["t", "u"]),
        (map(str.lower, ["T", "U"]), ["t", "u"]),
        ("long name", ["long name"]),
        (None, None),
        ((), None),
    ],
)
def test_names_come_in_every_kind_of_collection(given: Any, sent: list[str] | None, recorder: Recorder) -> None:
    assert list(recorder.log.events(event_type=given)) == []
    assert recorder.query.get("event_type") == sent


def test_a_set_and_a_generator_find_what_a_list_finds(recorder: Recorder) -> None:
    for given in ({"t"}, frozenset({"t"}), generated("t"), (name for name in ["t"])):
        list(recorder.log.events(event_type=given))
        assert recorder.query["event_type"] == ["t"]


def test_the_stream_takes_the_same_names(recorder: Recorder) -> None:
    for given in ("tu", generated("tu"), {"tu"}):
        with pytest.raises(Exception, match="404"):
            next(recorder.log.tail(source_id=given))
        assert recorder.query["source_id"] == ["tu"]


@each("given", [MOMENT, MOMENT.astimezone(UTC), TEXT])
def test_times_are_datetimes_or_text_wherever_there_are_times(given: datetime | str, recorder: Recorder) -> None:
    list(recorder.log.events(start_time=given, end_time=given))
    assert (recorder.query["start_time"], recorder.query["end_time"]) == ([TEXT], [TEXT])
    recorder.log.export(io.BytesIO(), start_time=given, end_time=given)
    assert (recorder.query["start_time"], recorder.query["end_time"]) == ([TEXT], [TEXT])
    own: dict[str, Any] = {"event_type": "t", "source_id": "s", "payload": {}, "timestamp": given}
    for send in (
        lambda: recorder.log.append("t", "s", {}, timestamp=given),
        lambda: recorder.log.append_batch([NewEvent("t", "s", {}, given)]),
        lambda: recorder.log.append_batch([own]),
    ):
        with pytest.raises(Exception, match="not JSON"):
            send()
        assert json.loads(recorder.asked[-1].content)["timestamp"] == TEXT


NAIVE = datetime(2026, 11, 23, 12, 34, 56)  # noqa: DTZ001  what is refused here


def calls(log: EventLog) -> list[tuple[Callable[[], object], type[Exception], str]]:
    """Calls with a wrong argument, and the error that says which it is."""
    wrong: Any = 5
    own: dict[str, Any] = {"event_type": "t", "source_id": "s", "payload": {}}
    return [
        (lambda: log.events(event_type=wrong), TypeError, "event_type must be a str or an iterable of them, not int"),
        (lambda: log.events(event_type=b"t"), TypeError, "event_type must be .* not bytes"),  # type: ignore[arg-type]
        (lambda: log.events(source_id={"t": 1}), TypeError, "source_id must be .* not dict"),
        (lambda: log.events(source_id=["t", wrong]), TypeError, "each source_id must be a str, not int"),
        (lambda: log.events(event_type="\udcff"), ValueError, "event_type has a lone surrogate"),
        (lambda: log.events(start_time=NAIVE), ValueError, "start_time needs a time zone"),
        (lambda: log.events(end_time=date(2026, 1, 1)), TypeError, "end_time must be a datetime .* not date"),  # type: ignore[arg-type]
        (lambda: log.events(end_time=wrong), TypeError, "end_time must be a datetime or RFC 3339 text, not int"),
        (lambda: log.events(start_time=datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))), ValueError, "UTC"),
        (lambda: log.events(from_seq="5"), TypeError, "from_seq must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.events(to_seq=True), TypeError, "to_seq must be an int, not bool"),
        (lambda: log.events(from_seq=-1), ValueError, "from_seq must be 0 or more, not -1"),
        (lambda: log.events(limit="1"), TypeError, "limit must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.events(limit=1.0), TypeError, "limit must be an int, not float"),  # type: ignore[arg-type]
        (lambda: log.events(order=wrong), TypeError, "order must be a str, not int"),
        (lambda: log.events(chain=None), TypeError, "chain must be a str, not NoneType"),  # type: ignore[arg-type]
        (lambda: log.events(event_typ="t"), TypeError, "there is no filter event_typ; there are event_type, "),  # type: ignore[call-arg]
        (lambda: log.events_by_seq("main", "0"), TypeError, "from_seq must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.tail(event_type=wrong), TypeError, "event_type must be .* not int"),
        (lambda: log.tail(from_seq=1.5), TypeError, "from_seq must be an int, not float"),  # type: ignore[arg-type]
        (lambda: log.export(io.BytesIO(), start_time=NAIVE), ValueError, "start_time needs a time zone"),
        (lambda: log.export(io.BytesIO(), to_seq="9"), TypeError, "to_seq must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.append("t", "s", {}, timestamp=NAIVE), ValueError, "timestamp needs a time zone"),
        (lambda: log.append("t", "s", {}, timestamp=wrong), TypeError, "timestamp must be .* not int"),
        (lambda: log.append("t", wrong, {}), TypeError, "source_id must be a str, not int"),
        (lambda: log.append("t", "s", [1]), TypeError, "payload must be a mapping, not list"),  # type: ignore[arg-type]
        (lambda: log.append("t", "s", {"a": {1}}), TypeError, "set is not JSON"),
        (lambda: log.append("t", "s", {"a": float("nan")}), ValueError, "JSON"),
        (lambda: log.append("t", "s", {}, event_id=wrong), TypeError, "event_id must be a str, not int"),
        (lambda: log.append_batch(NewEvent("t", "s", {})), TypeError, "a batch is an iterable of events"),  # type: ignore[arg-type]
        (lambda: log.append_batch(own), TypeError, "a batch is an iterable of events, not dict"),  # type: ignore[arg-type]
        (lambda: log.append_batch(["t"]), TypeError, "an event is a NewEvent or a mapping, not str"),  # type: ignore[list-item]
        (lambda: log.append_batch([own | {"timestamp": NAIVE}]), ValueError, "timestamp needs a time zone"),
        (lambda: log.append_batch([own | {"timestamp": date(2026, 1, 1)}]), TypeError, "timestamp must be a datetime"),
        (lambda: log.get(wrong), TypeError, "event_id must be a str, not int"),
        (lambda: log.chain(wrong), TypeError, "chain must be a str, not int"),
        (lambda: log.checkpoint(size="5"), TypeError, "size must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.consistency(1, "2"), TypeError, "second must be an int, not str"),  # type: ignore[arg-type]
        (lambda: log.proof("e", size=-1), ValueError, "size must be 0 or more"),
        (lambda: log.audit(wrong), TypeError, "chain must be a str, not int"),
        (lambda: EventLog("http://log", key=wrong), TypeError, "key must be a str or an iterable of them, not int"),
    ]


def test_a_wrong_argument_is_refused_before_anything_is_sent(recorder: Recorder) -> None:
    for call, error, words in calls(recorder.log):
        with pytest.raises(error, match=words):
            call()
        assert recorder.asked == [], words


def test_a_batch_may_be_generated_and_its_payloads_any_mapping() -> None:
    # As a list: events that have ids may be replays, which stand anywhere in the chain.
    shown = receipts(3)

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert [json.loads(line)["payload"] for line in request.content.splitlines()] == [{"a": 1}, {"a": 1}]
        return httpx2.Response(200, json={"receipts": [shown[2], shown[0]]})

    with EventLog("http://log", retries=0, transport=httpx2.MockTransport(answer)) as log:
        payload = MappingProxyType({"a": 1})
        found = log.append_batch(NewEvent("t", "s", payload, TEXT, event_id) for event_id in ("e2", "e0"))
    assert [receipt_fields(receipt) for receipt in found] == [shown[2], shown[0]]


def test_numbers_may_be_of_any_whole_kind(recorder: Recorder) -> None:
    class Whole:
        def __index__(self) -> int:
            return 7

    list(recorder.log.events(from_seq=Whole(), to_seq=9, sort="seq"))  # type: ignore[arg-type]
    assert (recorder.query["from_seq"], recorder.query["to_seq"]) == (["7"], ["9"])


def test_a_log_that_can_t_be_asked_for_its_search_fields_is_told_as_that(capsys: pytest.CaptureFixture[str]) -> None:
    """With it the qualifier may be right."""
    assert main(["--url", "ftp://log", "query", "user:u-17"]) == 1
    assert "ftp://log/api/v1 is not an http or https URL" in capsys.readouterr().err
