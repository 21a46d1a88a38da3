"""The commands that erase, approve, hold and release, against the routes that they call."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from eventlog.http.app import create_app
from eventlog.settings import Settings
from eventlog_client.cli import main
from functions.erase.app import routers as erase_routers
from functions.ingest.app import routers as ingest_routers
from functions.query.app import routers as query_routers
from tests.integration.test_http_governance import CHAIN, EVENT, api, settings, size
from tests.support.anchored import AnchoredLog
from tests.support.callers import by_jwt
from tests.support.gateway import BehindGateway
from tests.support.governed import REQUEST
from tests.support.serving import served

__all__ = ["api", "settings"]
"""Fixtures that are made elsewhere."""
LISTS = ("g", {"all": [{"id": "u-8"}, {"id": ["u-7", "u-9"]}, "u-9", None]})


def test_the_command_finds_what_matches_and_has_it_erased(
    api: TestClient, log: AnchoredLog, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, payload in (("d", {"user": {"id": "u-1"}, "n": 7}), ("e", {"user": "u-1"}), ("f", {"n": 7}), LISTS):
        api.post("/api/v1/events", json=EVENT | {"event_id": name, "payload": payload})

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()  # the lines of requests that were made without a server
        code = main(["--url", url, *arguments])
        return code, capsys.readouterr().out

    with served(api.app, quiet=True) as url:
        assert run("erase", "--match", "payload.n=7", "--dry-run") == (0, "f\nd\n2 events would be erased.\n")
        assert run("erase", "--match", "payload.user.id=u-1", "--match", "payload.n=7", "--dry-run")[1].count("\n") == 2
        assert run("erase", "--match", "payload.user=nobody", "--reason", "r")[1].startswith("No event matches")
        assert run("erase", "--match", "payload.all.id=u-9", "--dry-run")[1] == "g\n1 events would be erased.\n"
        assert size(log) == 7
        for wrong in (["erase"], ["erase", "d"], ["erase", "d", "--match", "payload.n=7"], ["erase", "--match", "n=7"]):
            assert run(*wrong)[0] == 2
        code, shown = run("erase", "--match", "payload.n=7", "--reason", "request 118")
        assert (code, "logged" in shown, "dead letters" in shown) == (0, True, True)
        assert run("erase", "nothing", "--reason", "r")[0] == 1
        assert [line.split("\t")[1:3] for line in run("erasures")[1].splitlines()] == [["logged", "2"]]
        api.post(f"{CHAIN}/holds", json={"reason": "proceedings"})
        assert run("holds")[1].split("\t")[1:2] == ["True"]
    assert size(log) == 9


def test_commands_hold_and_release(api: TestClient, log: AnchoredLog, capsys: pytest.CaptureFixture[str]) -> None:
    with served(api.app, quiet=True) as url:

        def run(*arguments: str) -> tuple[int, Any]:
            code = main(["--url", url, "--json", *arguments])
            out = capsys.readouterr().out
            return code, json.loads(out) if out else None

        some = ["hold", "--reason", "proceedings", "--from-seq", "0", "--to-seq", "2", "--id", REQUEST]
        code, held = run(*some)
        assert (code, held["hold_id"], held["in_force"], held["from_seq"], held["to_seq"]) == (0, REQUEST, True, 0, 2)
        assert run(*some) == (0, held)
        assert run(*some[:-2], "--until", "2999-01-01T00:00:00Z")[1]["until"] == "2999-01-01T00:00:00.000Z"
        assert run("hold", "--reason", "all of it", "--until", "soon")[0] == 1
        assert run("hold", "--from-seq", "0", "--to-seq", "2")[0] == 2
        assert run("erase", "a", "--reason", "request 118") == (1, None)
        whole = run("hold", "--reason", "all of it")[1]
        assert (whole["from_seq"], whole["to_seq"], whole["until"]) == (None, None, None)
        assert run("release", REQUEST.replace("1", "9"), "--reason", "settled") == (1, None)
        assert run("release", "../erasures", "--reason", "settled") == (1, None)
        found = run("holds")[1]["holds"]
        assert [hold["in_force"] for hold in found] == [True] * 3
        for hold in found:
            code, released = run("release", hold["hold_id"], "--reason", "settled")
            assert (code, released["in_force"], released["released"]["by"]) == (0, False, "anonymous")
        assert run("erase", "a", "--reason", "request 118")[0] == 0
    assert size(log) == 3 + 3 + 3 + 1


def test_commands_of_two_people_erase(settings: Settings, log: AnchoredLog, capsys: pytest.CaptureFixture[str]) -> None:
    settings.erasure_approvals = 2
    app = create_app(*ingest_routers, *query_routers, *erase_routers, title="x", settings=settings)
    every = "events:read events:write events:erase"
    people = {name: BehindGateway(app, by_jwt(sub=name, scope=every)) for name in ("privacy", "officer")}

    def run(name: str, *arguments: str) -> tuple[int, str]:
        capsys.readouterr()  # the lines of requests that were made without a server
        with served(people[name], quiet=True) as url:
            code = main(["--url", url, *arguments])
        return code, capsys.readouterr().out

    try:
        TestClient(people["privacy"]).post("/api/v1/events", json=EVENT | {"event_id": "a"})
        code, told = run("privacy", "erase", "a", "--reason", "request 118")
        asked = told.split("\t")[0]
        assert (code, "waiting" in told, "eventlog approve" in told, "dead letters" in told) == (0, True, True, False)
        assert json.loads(run("officer", "erasures", asked)[1])["seqs"] == [0]
        assert run("privacy", "approve", asked)[0] == 1
        assert run("officer", "approve", asked.replace(asked[0], "x"))[0] == 1
        assert size(log) == 1
        code, told = run("officer", "approve", asked)
        assert (code, told.split("\t")[:3], "dead letters" in told) == (0, [asked, "logged", "1"], True)
        shown = json.loads(run("officer", "erasures", asked)[1])
        assert (shown["by"], shown["approved_by"], shown["state"]) == ("privacy", "officer", "logged")
        assert run("privacy", "--json", "approve", asked)[0] == 0  # it is approved: a replay
    finally:
        for way in people.values():
            way.close()
        app.state.connection.close()
    assert size(log) == 2


def test_what_was_ordered_is_said_even_if_the_next_order_is_refused(
    api: TestClient, log: AnchoredLog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlog_client.commands.erase.MOST", 1)
    assert api.post(f"{CHAIN}/holds", json={"reason": "proceedings", "from_seq": 1, "to_seq": 2}).status_code == 201
    with served(api.app, quiet=True) as url:
        assert main(["--url", url, "erase", "a", "b", "c", "--reason", "request 118"]) == 1
    told = capsys.readouterr()
    ordered = [line.split("\t")[1] for line in told.out.splitlines() if line.count("\t") > 5]
    assert (ordered, "a hold is in force" in told.err, size(log)) == (["logged"], True, 5)
