"""``eventlog query SEARCH`` against a log: what it finds, how far it looked, and what it says of it."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from eventlog_client import EventLog, parse_search, reading
from eventlog_client.cli import main
from eventlog_client.commands import query as query_command
from local.server import build_app
from tests.support.factories import draft
from tests.support.serving import served

START = 1_795_392_000_000
"""2026-11-23T00:00:00Z"""
COUNT = 48


class Shown(NamedTuple):
    """What a command printed: seqs, standard error, and its exit code."""

    seqs: list[int]
    said: str
    code: int


Query = Callable[..., Shown]


@pytest.fixture
def url(mongo_uri: str, database: str, store: MongoStore) -> Iterator[str]:
    """48 events, a minute between them: every third a login of user u-N, every eighth one with an expired card."""
    kinds = ("user.login", "user.logout", "order.paid")
    drafts = [
        draft(
            event_type=kinds[n % 3],
            source_id=f"web-{n % 2}",
            timestamp=START + 60_000 * n,
            payload={"user": f"u-{n}", "why": "Card expired" if n % 8 == 0 else "ok"},
        )
        for n in range(COUNT)
    ]
    store.append("main", drafts[:40])
    store.settle("main")
    store.append("main", drafts[40:])
    store.append("other", [draft(chain="other", event_type="user.login")])
    app = build_app(Settings(mongo_uri=mongo_uri, mongo_database=database))
    with served(app, quiet=True) as url:
        yield url
    app.state.connection.close()


@pytest.fixture
def query(url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Query:
    monkeypatch.setattr(reading, "PAGE", 10)

    def run(*arguments: str) -> Shown:
        code = main(["--url", url, "--json", "query", *arguments])
        out, err = capsys.readouterr()
        events = [json.loads(line) for line in out.splitlines()]
        return Shown([event["seq"] for event in events], err.removeprefix("eventlog: ").rstrip(), code)

    return run


def newest(fits: Callable[[int], bool]) -> list[int]:
    return [n for n in reversed(range(COUNT)) if fits(n)]


def every(_: int) -> bool:
    return True


def none(_: int) -> bool:
    return False


def test_a_search_finds_what_it_says(query: Query) -> None:
    for search, fits in {
        "": every,
        "type:user.login": lambda n: n % 3 == 0,
        "type:user.* source:web-1": lambda n: n % 3 < 2 and n % 2 == 1,
        "type:user.login type:order.* source:web-*": lambda n: n % 3 != 1,
        "after:2026-11-23T00:30:00Z before:2026-11-23T00:40:00Z": lambda n: 30 <= n < 40,
        "chain:main before:2026-11-22": none,
        '"card expired"': lambda n: n % 8 == 0,
        "expired CARD type:user.*": lambda n: n % 8 == 0 and n % 3 < 2,
        '"u-1"': lambda n: n == 1 or 10 <= n < 20,
        "nowhere": none,
        "card before:2026-11-22 after:2026-11-22": none,
    }.items():
        shown = query(search)
        assert (shown.seqs, shown.code) == (newest(fits), 0), search
        assert bool(shown.said) is bool(parse_search(search, 0).words)
    assert query("order:asc type:user.login*", "--limit", "2").seqs == [0, 3]
    assert query("chain:other").seqs == query("", "--chain", "other").seqs == [0]


def test_a_look_says_how_far_it_came_and_goes_on_there(query: Query) -> None:
    """Pages have 10 events here, so that a look at 20 is two of them."""
    first = query("card", "--look", "20")
    assert first.seqs == [40, 32]
    assert first.said.startswith("searched 20 of 48 events, 2 fit; go on: eventlog query 'chain:main card' --cursor ")
    seqs, again = first.seqs, first
    while "go on: " in again.said:
        again = query(*shlex.split(again.said.partition("go on: eventlog query ")[2].rstrip(".")), "--look", "20")
        seqs += again.seqs
    assert seqs == newest(lambda n: n % 8 == 0)
    assert again.said == "searched the last 8 events, 1 fit."
    assert query("card type:user.login*", "--look", "16").said == "searched all 16 events, 2 fit."
    assert query("card", "--look", "20", "--all").said == "searched all 48 events, 6 fit."
    assert query("card", "--limit", "1").said == (
        "searched 8 of 48 events until 1 fit; there may be more: --limit and --all show them."
    )


def test_a_look_whose_reader_has_left_says_so(query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_command, "show", lambda _, found: next(iter(found)))
    assert query("card").said == "searched 8 of 48 events, 1 fit, until nobody read on."


def test_a_relative_time_goes_on_as_the_time_it_was(query: Query) -> None:
    found = query("after:999999w card", "--look", "10")
    again = found.said.partition("go on: eventlog query ")[2].rstrip(".")
    assert re.match(r"'chain:main after:1970-01-01T00:00:00\.000Z card' --cursor \S+$", again)
    assert query(*shlex.split(again), "--all").code == 0


def test_what_can_not_be_understood_is_refused_at_its_place(query: Query) -> None:
    for arguments, words in (
        (("source:web-1 tpye:x",), "unknown qualifier 'tpye' at 14; known: type, source, chain, after, before, order"),
        (("type:*",), "'*' at 6 is no type: it must have a character before the '*'"),
        (("type:x", "--type", "y"), "either all in the search, or all in options"),
        (("chain:a", "--chain", "b"), "the search says chain:a, and --chain b"),
        (("type:x", "--cursor", "c"), "goes with a search that has words"),
        (("--cursor", "c"), "goes with a search that has words"),
        (("type:x", "y"), "unexpected extra argument"),
    ):
        shown = query(*arguments)
        assert (shown.seqs, shown.code) == ([], 2), arguments
        assert words in shown.said, arguments
    shown = query("card", "--cursor", "c")
    assert (shown.code, "/query/cursor" in shown.said) == (1, True)


def test_options_take_prefixes_too_and_the_stream_does(query: Query, url: str) -> None:
    assert query("--type", "user.*", "--source", "web-0").seqs == newest(lambda n: n % 3 < 2 and n % 2 == 0)
    with EventLog(url) as log:
        tail = log.tail(from_seq=0, event_type=["order.*"])
        assert [next(tail).seq for _ in range(3)] == [2, 5, 8]
        look = log.look(parse_search("card type:user.*", 0), most=None)
        assert [event.seq for event in look.events()] == newest(lambda n: n % 8 == 0 and n % 3 < 2)
        assert (look.searched, look.total, look.cursor) == (32, 32, None)
