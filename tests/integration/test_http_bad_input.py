"""Bad input: every rule of the raw body, the fields, the headers and the query string, with status and pointer."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient
from starlette.testclient import TestClient

from tests.integration.bad_input import BATCH, CASES, EVENTS, JSON, NDJSON, Case, payload
from tests.integration.conftest import MakeApi


@pytest.fixture(scope="module")
def empty(make_api: MakeApi, client: MongoClient[dict[str, Any]]) -> Iterator[TestClient]:
    """An API whose database stays empty."""
    name = f"test_{uuid4().hex[:12]}"
    with make_api(name) as api:
        yield api
    stored = client[name].list_collection_names()
    client.drop_database(name)
    assert stored == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_bad_input_is_refused_with_its_pointer_and_stores_nothing(empty: TestClient, case: Case) -> None:
    method = "GET" if case.body is None else "POST"
    headers = {} if case.body is None else case.headers
    answer = empty.request(method, case.path, content=case.body, headers=headers)
    problem = answer.json()
    assert (answer.status_code, [e["pointer"] for e in problem["errors"]]) == (case.status, case.pointers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "errors"}
    assert problem["status"] == case.status
    assert not any(word in answer.text for word in ("Traceback", ".py", "site-packages"))
    assert empty.get("/api/v1/chains").json()["chains"] == []


def test_the_table_is_as_long_as_promised() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        (EVENTS, JSON, payload('{"a":[' + "NaN," * 100_000 + "NaN]}")),
        (EVENTS, JSON, b'{"' + b'":1,"'.join(str(i).encode() for i in range(50_000)) + b'":1}'),
        (BATCH, NDJSON, (payload('{"a":[' + "NaN," * 100 + "NaN]}") + b"\n") * 400),
        (EVENTS, JSON, payload('{"' + "k" * 50_000 + '":[' + "NaN," * 20 + "NaN]}")),
        (EVENTS, JSON, payload('{"' + "~" * 1_000_000 + '":NaN}')),
    ],
    ids=["numbers", "fields", "lines", "long pointers", "one very long pointer"],
)
def test_an_answer_stays_small_however_much_is_wrong(empty: TestClient, path: str, kind: str, body: bytes) -> None:
    answer = empty.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code in {400, 422}
    assert 1 <= len(answer.json()["errors"]) <= 100
    assert len(answer.content) < 200_000
