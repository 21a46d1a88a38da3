"""Who may follow a stream: on a server with tokens, where it has no end, and behind API Gateway."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from eventlog.settings import Settings
from eventlog.store.mongo.store import MongoStore
from local.machine import wait_until
from tests.support import plain_http
from tests.support.access import STREAM, Grant, Sample, ThroughGateway, WithTokens
from tests.support.event_source import Interpreter, Message
from tests.support.factories import draft
from tests.support.serving import served

LIMITED, UNLIMITED = Grant(chains=("own.*",), name="limited"), Grant(name="unlimited")
WRITER = Grant(frozenset({"events:write"}), name="writer")
OWN, THEIRS, MISSING = "own.a", "theirs.a", "missing.a"


@pytest.fixture
def settings(mongo_uri: str, database: str, store: MongoStore) -> Settings:
    for chain in (OWN, THEIRS):
        store.append(chain, [draft(chain=chain), draft(chain=chain)])
    return Settings(mongo_uri=mongo_uri, mongo_database=database, EVENTLOG_STREAM_SECONDS=3.0)


@pytest.fixture
def gateway(settings: Settings) -> Iterator[ThroughGateway]:
    made = ThroughGateway(settings)
    yield made
    made.app.state.connection.close()


@pytest.fixture
def url(settings: Settings, tmp_path: Path) -> Iterator[str]:
    made = WithTokens(settings, tmp_path / "tokens.json", [LIMITED, UNLIMITED, WRITER])
    with served(made.app) as url:
        yield url
    made.app.state.connection.close()


def follow(url: str, chain: str, grant: Grant) -> list[Message]:
    """What comes until the head of two events, or of a chain that is not there."""
    source = Interpreter()
    headers = {"Authorization": f"Bearer {grant.token()}"}
    parameters: dict[str, str | int] = {"chain": chain, "from_seq": 0}
    with plain_http.stream("GET", f"{url}{STREAM}", params=parameters, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        for text in answer.iter_text():
            source.feed(text)
            if len(source.messages) == (1 if source.messages[:1] and source.messages[0].value["size"] == 0 else 3):
                break
    return source.messages


def test_who_is_not_known_or_lacks_the_scope_is_refused(url: str, gateway: ThroughGateway) -> None:
    assert plain_http.get(f"{url}{STREAM}").status_code == 401
    refused = plain_http.get(f"{url}{STREAM}", headers={"Authorization": f"Bearer {WRITER.token()}"})
    assert (refused.status_code, refused.json()["detail"]) == (403, "This needs the scope events:read.")
    assert [gateway.call("GET", Sample(STREAM), grant).status for grant in (None, WRITER)] == [401, 403]


def test_the_chain_of_others_is_one_that_is_not_there(url: str) -> None:
    assert [message.type for message in follow(url, OWN, LIMITED)] == ["head", "message", "message"]
    assert [message.type for message in follow(url, THEIRS, UNLIMITED)] == ["head", "message", "message"]
    assert follow(url, THEIRS, LIMITED) == [Message("head", '{"chain":"theirs.a","size":0}', "-1")]
    assert follow(url, MISSING, UNLIMITED) == [Message("head", '{"chain":"missing.a","size":0}', "-1")]


@pytest.mark.parametrize("last_id", ["", "0", "7"])
def test_and_so_it_is_behind_api_gateway_wherever_one_begins(gateway: ThroughGateway, last_id: str) -> None:
    headers = {"last-event-id": last_id} if last_id else {}
    theirs, missing = (
        gateway.call("GET", Sample(STREAM, params={"chain": chain}), LIMITED, **headers) for chain in (THEIRS, MISSING)
    )
    assert theirs.body.replace(THEIRS.encode(), MISSING.encode()) == missing.body
    assert b"message" not in theirs.body
    own = gateway.call("GET", Sample(STREAM, params={"chain": OWN, "from_seq": 0}), LIMITED)
    assert own.body.count(b'data: {"event_id"') == 2


def test_a_caller_has_so_many_streams_and_gets_a_new_one_once_it_closes_one(settings: Settings, tmp_path: Path) -> None:
    limited = settings.model_copy(update={"streams_per_caller": 2})
    made = WithTokens(limited, tmp_path / "tokens.json", [LIMITED, UNLIMITED])
    with served(made.app) as url, ExitStack() as opened, closing(made.app.state.connection):

        def status(grant: Grant, chain: str) -> int:
            headers = {"Authorization": f"Bearer {grant.token()}"}
            asked = plain_http.stream("GET", f"{url}{STREAM}", params={"chain": chain}, headers=headers, timeout=20)
            answer = opened.enter_context(asked)
            if answer.status_code == 429:
                detail = answer.read().decode()
                assert "limited has 2 live streams open" in detail
                assert "EVENTLOG_STREAMS_PER_CALLER" in detail
                assert int(answer.headers["retry-after"]) > 0
            return answer.status_code

        # It counts for all chains together, also for those that the caller may not see.
        assert [status(LIMITED, chain) for chain in (OWN, THEIRS, OWN, MISSING)] == [200, 200, 429, 429]
        assert [status(UNLIMITED, OWN) for _ in range(2)] == [200, 200]
        opened.close()
        wait_until("a stream to be free", lambda: status(LIMITED, OWN) == 200)
