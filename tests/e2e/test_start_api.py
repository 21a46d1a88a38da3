"""Whole journeys over HTTP through the built functions, their runtime, roles, queue, key and bucket."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from eventlog.formats.proof import verify_inclusion
from eventlog.store.mongo.roles import ROLES
from local.demo.tamper import edit_payload
from local.machine import wait_until
from tests.e2e.start_api import PASSWORD, PRIVATE, StartApi, event, start


@pytest.fixture(scope="module")
def api(built_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    with start(tmp_path_factory.mktemp("start-api"), built_template, "--no-schedules") as running:
        yield running


def client(api: StartApi, service: str) -> Any:
    session: Any = boto3.Session("local", "local", region_name="eu-central-1")
    return session.client(service, endpoint_url=api.aws_url)


def test_an_event_has_one_receipt_however_often_it_is_sent(api: StartApi) -> None:
    first, again = api.post("once"), api.post("once")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"


def test_the_first_call_is_cold_and_the_next_one_warm(api: StartApi) -> None:
    api.post("warm-1")
    starts = api.log("IngestFunction").count("INIT START")
    api.post("warm-2")
    assert starts >= 1
    assert api.log("IngestFunction").count("INIT START") == starts
    assert api.log("IngestFunction").count("REPORT RequestId") >= 2


def test_a_batch_is_appended_in_order_and_found_by_its_source(api: StartApi) -> None:
    batch = [event(f"batch-{number}", source_id="orders-batch") for number in range(3)]
    receipts = api.ask("writer", "POST", "/api/v1/events/batch", json=batch).json()["receipts"]
    seqs = [receipt["seq"] for receipt in receipts]
    assert seqs == list(range(seqs[0], seqs[0] + 3))
    found = api.ask("reader", "GET", "/api/v1/events?source_id=orders-batch&order=asc").json()["events"]
    assert [each["event_id"] for each in found] == ["batch-0", "batch-1", "batch-2"]
    assert found[0]["principal"] == "writer"


def test_what_is_audited_is_signed_with_the_key_anchored_under_lock_and_provable(api: StartApi) -> None:
    api.post("proven", chain="proofs")
    report = api.ask("auditor", "POST", "/api/v1/audits", json={"chain": "proofs", "mode": "full"}).json()
    assert (report["status"], report["anchored_size"]) == ("intact", 1)
    proof = api.ask("reader", "GET", "/api/v1/events/proven/proof?chain=proofs").json()
    hashes = [bytes.fromhex(value) for value in proof["hashes"]]
    verify_inclusion(bytes.fromhex(proof["leaf_hash"]), 0, 1, hashes, bytes.fromhex(proof["root"]))
    assert proof["checkpoint"].startswith("localhost/start-api/proofs\n1\n")
    s3 = client(api, "s3")
    (bucket,) = [found["Name"] for found in s3.list_buckets()["Buckets"] if "anchor" in found["Name"].lower()]
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"] if "proofs" in found["Key"]]
    assert s3.head_object(Bucket=bucket, Key=keys[0])["ObjectLockMode"] == "COMPLIANCE"


def test_an_event_that_is_sent_asynchronously_has_its_receipt_later(api: StartApi) -> None:
    accepted = api.post("later", chain="async", path="/api/v1/events?async=true")
    assert accepted.status_code == 202
    where = accepted.json()["receipt"]
    wait_until("the receipt", lambda: api.ask("reader", "GET", where).status_code == 200)
    assert api.ask("reader", "GET", where).json()["seq"] == 0
    queues = client(api, "sqs").list_queues()["QueueUrls"]
    assert len(queues) == 2

    def left() -> int:
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = [client(api, "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=wanted) for url in queues]
        return sum(int(count) for queue in found for count in queue["Attributes"].values())

    wait_until("the queues to be empty", lambda: left() == 0)


def test_without_a_token_the_function_itself_asks_for_one(api: StartApi) -> None:
    answer = api.ask(None, "GET", "/api/v1/chains")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unknown_token_is_refused_before_any_function(api: StartApi) -> None:
    before = api.log("QueryFunction").count("START RequestId")
    answer = api.ask(None, "GET", "/api/v1/chains", headers={"Authorization": "Bearer nobody's"})
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
    assert api.log("QueryFunction").count("START RequestId") == before


@pytest.mark.parametrize(
    ("who", "method", "path"),
    [
        ("reader", "POST", "/api/v1/events"),
        ("reader", "POST", "/api/v1/audits"),
        ("writer", "GET", "/api/v1/events"),
        ("writer", "POST", "/api/v1/audits"),
    ],
)
def test_without_the_scope_the_function_itself_forbids_it(api: StartApi, who: str, method: str, path: str) -> None:
    answer = api.ask(who, method, path, json={} if method == "POST" else None)
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_tenant_sees_its_own_chains_alone(api: StartApi) -> None:
    api.post("theirs", chain="other")
    assert api.post("ours", "acme", chain="acme.orders").status_code == 201
    assert api.post("not-ours", "acme", chain="other").status_code == 404
    assert api.ask("acme", "GET", "/api/v1/events/theirs?chain=other").status_code == 404
    chains = api.ask("acme", "GET", "/api/v1/chains").json()["chains"]
    assert [chain["chain"] for chain in chains] == ["acme.orders"]


@pytest.mark.parametrize("path", ["/dashboard", "/api/v1/nothing", "/api/v1/batch", "/openapi.json"])
def test_what_is_no_route_reaches_no_function(api: StartApi, path: str) -> None:
    answer = api.ask("reader", "GET", path)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_a_body_that_is_no_text_arrives_byte_for_byte(api: StartApi) -> None:
    answer = api.ask(
        "writer", "POST", "/api/v1/events", content=b"\xff{}", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    tiles = api.ask("reader", "GET", "/api/v1/chains/proofs/tlog/tile/entries/000.p/1")
    assert tiles.content[:2] == (72).to_bytes(2)  # a C2SP entry bundle: its length, then the leaf
    assert len(tiles.content) == 74


def test_what_is_edited_in_the_database_is_found_and_counted_for_the_alarm(api: StartApi) -> None:
    api.post("forged", chain="forged")
    audit = {"source": "eventlog.schedule", "mode": "full"}
    api.invoke("ChainAuditFunction", audit)
    assert set(api.metrics("ChainAuditFunction", "AuditFindings")) == {0}
    with api.administrator() as database:
        edit_payload(database.events, "forged", 0)
    audits = api.invoke("ChainAuditFunction", audit)["audits"]
    assert {each["chain"]: each["status"] for each in audits}["forged"] == "tampered"
    assert max(api.metrics("ChainAuditFunction", "AuditFindings")) >= 1
    listed = api.ask("auditor", "GET", "/api/v1/audits?chain=forged").json()["audits"]
    assert "payload_mismatch" in {finding["kind"] for finding in listed[0]["findings"]}


def test_no_secret_is_in_a_log_an_artefact_an_environment_or_on_the_console(
    api: StartApi, built_template: Path
) -> None:
    """Last in this file: the logs of all other tests are there by now."""
    stored = client(api, "secretsmanager").list_secrets()["SecretList"]
    uris = [client(api, "secretsmanager").get_secret_value(SecretId=each["ARN"])["SecretString"] for each in stored]
    assert len(uris) == len(ROLES)
    passwords = [re.fullmatch(r"mongodb://[^:]+:([^@]+)@.*", uri) for uri in uris]
    secrets = [*uris, *(found[1] for found in passwords if found), PASSWORD]
    tokens = [api.token(name) for name in ("writer", "reader", "auditor", "acme")]
    files = [*api.logs.iterdir(), *built_template.parent.rglob("*.yaml"), *built_template.parent.rglob("app.py")]
    files += [api.folder / "run" / "tokens.json", api.folder / "run" / "mongo" / "mongod.log"]
    places = {str(path): path.read_text(errors="replace") for path in files}
    places["console"] = re.sub(r"^  [A-Z]+=\S+$", "", api.output, flags=re.MULTILINE)  # where tokens are shown, once
    for name in ("IngestFunction", "QueryFunction", "ChainAuditFunction", "IngestQueueFunction"):
        running = api.runtimes(name)
        assert running
        places |= {f"{name} {pid}": Path(f"/proc/{pid}/environ").read_text() for pid in running}
    for secret in [*secrets, *tokens, PRIVATE]:
        assert [place for place, text in places.items() if secret in text] == []
