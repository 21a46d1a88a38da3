"""What `sam build` makes is what runs: handlers are imported and called from the built artefacts alone."""

import base64
import json
import os
import re
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from admin.setup import Setup
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.cosignature import parse_cosigner_vkey, verify_cosignatures
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey, parse_note
from eventlog.formats.proof import verify_inclusion
from eventlog.formats.witness_protocol import parse_answer
from eventlog.ingest.queue_message import parse_message
from eventlog.store.mongo.store import connect
from tests.infrastructure import sam

CREDENTIALS: sam.Json = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
ORIGIN = "log.example.com/artifacts"
CALLS = {
    "IngestFunction": [
        *("post-event", "post-event-async", "post-batch", "post-batch-ndjson"),
        *("post-cloudevent-structured", "post-cloudevent-binary", "post-cloudevents-batch"),
    ],
    "AuditRequestsFunction": ["post-audit", "get-audits", "get-audit-unknown"],
    "ChainAuditFunction": [
        "schedule-incremental",
        "schedule-full",
        "share-full-audit",
        "share-segment",
        "conclude-full-audit",
    ],
    "StreamFunction": ["get-stream"],
    "QueryFunction": [
        *("get-events", "get-event", "get-chains", "get-chain", "get-health"),
        *(
            "get-proof",
            "get-consistency",
            "get-root",
            "get-head",
            "get-checkpoint",
            "get-log-checkpoint",
            "get-log-tile",
        ),
        *("get-receipt", "get-export", "get-standing", "get-stats"),
        *("get-search-fields", "get-suggestions"),
        *("get-dashboard", "get-dashboard-config", "get-dashboard-file"),
    ],
    "IngestQueueFunction": ["queue-batch"],
    "EraseFunction": [
        *("post-hold", "get-holds", "post-hold-release"),
        *("post-erasure", "get-erasures", "get-erasure", "post-erasure-approval"),
        "schedule-erase",
    ],
    "WitnessFunction": ["witness-add-log", "post-witness-checkpoint", "get-witness", "get-witness-checkpoint"],
}
RUNTIME = ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3"]
"""What the layer leaves to Lambda's runtime."""
SECOND_REQUEST = "01936f00-0000-7000-8000-000000000022"
RECEIPT = {"event_id", "chain", "seq", "timestamp", "received_at", "content_hash", "prev_hash", "hash"}


class Artifacts:
    """The functions of one build, called one after the other against one fresh database."""

    def __init__(self, built: Path, scratch: Path, mongo_uri: str, sqs: str) -> None:
        self.built, self.scratch, self.mongo_uri, self.sqs = built, scratch, mongo_uri, sqs
        self.database = f"artifacts_{uuid.uuid4().hex}"
        self.output = ""
        self.key = scratch / "key.pem"
        self.orders = scratch / "orders.pem"
        for key in (self.key, self.orders):
            create_key_file(key)
        self.governance = format_vkey(VerifierKey(ORIGIN, KeyFile(self.orders).public_key, KIND))
        self.runtime = scratch / "runtime"
        self.runtime.mkdir()
        for name in RUNTIME:
            (self.runtime / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
        client = boto3.client("sqs", endpoint_url=sqs, region_name="eu-central-1", **CREDENTIALS)
        fifo: Any = {"FifoQueue": "true"}
        self.queue_url, self.dead_url = (
            client.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"] for name in ("ingest.fifo", "dead.fifo")
        )
        self.client = client
        s3 = boto3.client("s3", endpoint_url=sqs, region_name="eu-central-1", **CREDENTIALS)
        where: Any = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket="witness", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)

    def environment(self, function: str) -> dict[str, str]:
        variables = sam.of_type("AWS::Lambda::Function")[function]["Environment"]["Variables"]
        fixed = {name: value for name, value in variables.items() if isinstance(value, str)}
        path = [self.built / function, self.built / "EventLogLayer" / "python", self.runtime]
        evidence = {"EVENTLOG_ANCHORS": str(self.scratch / "anchors"), "EVENTLOG_SIGNING_KEYS": str(self.key)}
        orders = {"EVENTLOG_GOVERNANCE_KEYS": self.governance, "EVENTLOG_GOVERNANCE_SIGNING_KEY": str(self.orders)}
        witness = {"EVENTLOG_WITNESS_NAME": "witness.example/w1", "EVENTLOG_WITNESS_KEYS": str(self.key)}
        witness |= {"EVENTLOG_WITNESS_STATE": "s3://witness", "AWS_ENDPOINT_URL_S3": self.sqs}
        return (
            fixed
            | (evidence if "EVENTLOG_ANCHORS" in variables else {})
            | {name: value for name, value in orders.items() if name in variables}
            | (witness if "EVENTLOG_WITNESS_STATE" in variables else {})
            | {
                "PYTHONDONTWRITEBYTECODE": "1",  # the build is shared
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "MONGO_URI": self.mongo_uri,
                "MONGO_DATABASE": self.database,
                "EVENTLOG_ORIGIN": ORIGIN,
                "EVENTLOG_TRACING": "false",
                "EVENTLOG_QUEUE_URL": self.queue_url,
                "EVENTLOG_DEAD_LETTERS_URL": self.dead_url,
                "AWS_ENDPOINT_URL_SQS": self.sqs,
                "AWS_DEFAULT_REGION": "eu-central-1",
                **{name.upper(): value for name, value in CREDENTIALS.items()},
                "POWERTOOLS_LOG_LEVEL": "DEBUG",
            }
        )

    def call(self, function: str, names: list[str]) -> list[sam.Json]:
        return self.send(function, [sam.sample(name) for name in names])

    def send(self, function: str, given_events: list[sam.Json], **settings: str) -> list[sam.Json]:
        answers = self.scratch / f"{uuid.uuid4()}.json"
        events = [self.scratch / f"{uuid.uuid4()}.json" for _ in given_events]
        for path, event in zip(events, given_events, strict=True):
            path.write_text(json.dumps(event), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-S", "-P", Path(__file__).with_name("invoke.py"), answers, *events],
            env=self.environment(function) | settings,
            cwd=self.scratch,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.output += done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
        given: list[sam.Json] = json.loads(answers.read_text(encoding="utf-8"))
        return given


@pytest.fixture(scope="module")
def sqs() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="module")
def artifacts(host_build: Path, tmp_path_factory: pytest.TempPathFactory, mongo_uri: str, sqs: str) -> Artifacts:
    found = Artifacts(host_build, tmp_path_factory.mktemp("scratch"), mongo_uri, sqs)
    with connect(mongo_uri) as client:  # as before any deployment
        list(Setup(client, mongo_uri, found.database, check=False).collections())
    return found


@pytest.fixture(scope="module")
def answers(artifacts: Artifacts) -> dict[str, sam.Json]:
    """The answer to each sample event, all of them sent in the order of CALLS to a fresh log."""
    found: dict[str, sam.Json] = {}
    # Before anything is anchored, as on a new log: else what was done until then was not watched, and is told so.
    (first,) = artifacts.call("ChainAuditFunction", ["schedule-incremental"])
    assert first == {"mode": "incremental", "audits": []}
    for function, names in CALLS.items():
        found |= zip(names, artifacts.call(function, names), strict=True)
    return found


def body(answer: sam.Json, status: int) -> sam.Json:
    assert answer["statusCode"] == status, answer
    content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"]
    decoded: sam.Json = json.loads(content)
    return decoded


def test_every_sample_event_is_called() -> None:
    assert sorted(name for names in CALLS.values() for name in names) == sam.samples()


def test_ingest_answers_an_event_with_its_receipt(answers: dict[str, sam.Json]) -> None:
    receipt = body(answers["post-event"], 201)
    assert receipt.keys() == RECEIPT
    assert (receipt["event_id"], receipt["chain"], receipt["seq"]) == ("sample-1", "main", 0)


@pytest.mark.parametrize(
    ("name", "first"), [("post-batch", 1), ("post-batch-ndjson", 3), ("post-cloudevents-batch", 7)]
)
def test_ingest_answers_a_batch_with_its_receipts(answers: dict[str, sam.Json], name: str, first: int) -> None:
    receipts = body(answers[name], 201)["receipts"]
    assert [receipt["seq"] for receipt in receipts] == [first, first + 1]


@pytest.mark.parametrize(("name", "seq"), [("post-cloudevent-structured", 5), ("post-cloudevent-binary", 6)])
def test_ingest_takes_a_cloudevent(answers: dict[str, sam.Json], name: str, seq: int) -> None:
    receipt = body(answers[name], 201)
    assert receipt["seq"] == seq
    assert receipt["event_id"].startswith("ce-")


def test_ingest_answers_a_redelivery_with_the_first_receipt(artifacts: Artifacts, answers: dict[str, sam.Json]) -> None:
    (again,) = artifacts.call("IngestFunction", ["post-event"])
    assert body(again, 200) == body(answers["post-event"], 201)
    assert again["headers"]["idempotent-replayed"] == "true"


def test_ingest_accepts_an_event_into_the_queue(artifacts: Artifacts, answers: dict[str, sam.Json]) -> None:
    accepted = body(answers["post-event-async"], 202)
    assert accepted["receipt"] == "/api/v1/events/sample-async/receipt?chain=main"
    (message,) = artifacts.client.receive_message(QueueUrl=artifacts.queue_url)["Messages"]
    assert parse_message(message["Body"]).entry.event_id == "sample-async"


def test_the_queue_is_appended_and_then_there_is_a_receipt(artifacts: Artifacts, answers: dict[str, sam.Json]) -> None:
    assert body(answers["get-receipt"], 404)["status"] == 404
    assert answers["queue-batch"] == {"batchItemFailures": []}
    (receipt,) = artifacts.call("QueryFunction", ["get-receipt"])
    assert (body(receipt, 200)["event_id"], body(receipt, 200)["seq"]) == ("sample-queued-1", 0)


def test_query_finds_events_by_time_type_and_source(answers: dict[str, sam.Json]) -> None:
    events = body(answers["get-events"], 200)["events"]
    assert [event["event_id"] for event in events] == ["sample-1", "sample-2", "sample-4"]


def test_query_finds_the_event_as_it_was_sent(answers: dict[str, sam.Json]) -> None:
    event = body(answers["get-event"], 200)
    sent = json.loads(sam.sample("post-event")["body"])
    assert {name: event[name] for name in sent} == sent


def test_query_describes_the_chain(answers: dict[str, sam.Json]) -> None:
    chain = body(answers["get-chain"], 200)
    assert (chain["origin"], chain["size"]) == (ORIGIN, 9)
    chains = [chain["chain"] for chain in body(answers["get-chains"], 200)["chains"]]
    assert chains == ["eventlog.registry", "main"]


@pytest.mark.parametrize("name", ["get-proof", "get-consistency", "get-root"])
def test_query_proves_what_the_chain_holds(answers: dict[str, sam.Json], name: str) -> None:
    assert body(answers[name], 200)["chain" if name == "get-root" else "hashes"]


def test_query_proves_the_head_of_the_only_chain_there_is(answers: dict[str, sam.Json]) -> None:
    found = body(answers["get-head"], 200)
    assert (found["chain"], found["count"], found["hashes"]) == ("main", 1, [])


@pytest.mark.parametrize("name", ["get-checkpoint", "get-log-checkpoint"])
def test_query_shows_the_checkpoint_that_the_audit_signed(answers: dict[str, sam.Json], name: str) -> None:
    assert answers[name]["statusCode"] == 200
    assert answers[name]["body"].startswith(f"{ORIGIN}/main\n9\n")


def test_query_serves_a_tile_byte_for_byte(answers: dict[str, sam.Json]) -> None:
    tile = answers["get-log-tile"]
    assert (tile["statusCode"], tile["isBase64Encoded"]) == (200, True)
    assert len(base64.b64decode(tile["body"])) == 9 * 32


def test_query_exports_a_bundle(answers: dict[str, sam.Json]) -> None:
    export = answers["get-export"]
    assert export["statusCode"] == 200
    content = base64.b64decode(export["body"]) if export["isBase64Encoded"] else export["body"].encode()
    header, *_, end = [json.loads(line) for line in content.splitlines()]
    assert (header["format"], end) == ("eventlog-bundle/v1", {"end": {"events": 9, "next_seq": None}})


def test_query_counts_events_by_type(answers: dict[str, sam.Json]) -> None:
    stats = body(answers["get-stats"], 200)
    found = {series["value"]: series["total"] for series in stats["series"]}
    assert (stats["total"], found) == (sum(found.values()), found | {"order.created": 2})
    assert stats["total"] > 0


def test_query_streams_the_chain_from_its_beginning_at_once(answers: dict[str, sam.Json]) -> None:
    stream = answers["get-stream"]
    assert (stream["statusCode"], stream["isBase64Encoded"]) == (200, False)
    ids = re.findall(r"^id: (\d+)\ndata: ", stream["body"], re.MULTILINE)
    assert [int(found) for found in ids] == list(range(9))
    assert "\nretry: " in f"\n{stream['body']}"


@pytest.mark.parametrize(
    ("name", "media_type", "content"),
    [
        ("get-dashboard", "text/html", "<!doctype html>"),
        ("get-dashboard-file", "text/javascript", "$modules['views/overview.js'] = (() => {"),
    ],
)
def test_query_serves_the_dashboard_to_anybody(
    answers: dict[str, sam.Json], name: str, media_type: str, content: str
) -> None:
    page = answers[name]
    assert (page["statusCode"], page["isBase64Encoded"]) == (200, False)
    assert page["headers"]["content-type"] == f"{media_type}; charset=utf-8"
    assert "default-src 'none'; script-src 'self'" in page["headers"]["content-security-policy"]
    assert content in page["body"]


def test_query_tells_anybody_where_to_sign_in_and_no_more(answers: dict[str, sam.Json]) -> None:
    assert body(answers["get-dashboard-config"], 200) == {"origin": ORIGIN, "signIn": None}


@pytest.mark.parametrize("path", ["icon.svg", "dom.js", "vendor/uplot-1.6.32/uPlot.esm.js"])
def test_a_file_of_the_dashboard_arrives_as_it_is(artifacts: Artifacts, path: str) -> None:
    event = sam.sample("get-dashboard-file")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"/dashboard/{path}"
    event["pathParameters"] = {"file": path}
    (answer,) = artifacts.send("QueryFunction", [event])
    content = answer["body"].encode() if not answer["isBase64Encoded"] else base64.b64decode(answer["body"])
    assert answer["statusCode"] == 200
    assert content == (sam.ROOT / "functions/query/dashboard" / path).read_bytes()


def test_query_is_healthy(answers: dict[str, sam.Json]) -> None:
    assert answers["get-health"]["statusCode"] == 200


def test_query_proves_an_event(answers: dict[str, sam.Json]) -> None:
    proof = body(answers["get-proof"], 200)
    hashes = [bytes.fromhex(value) for value in proof["hashes"]]
    root = body(answers["get-root"], 200)["root"]
    verify_inclusion(bytes.fromhex(proof["leaf_hash"]), proof["leaf_index"], 9, hashes, bytes.fromhex(root))
    assert body(answers["get-consistency"], 200)["second_root"] == root


def test_audit_on_demand_finds_the_chain_intact(answers: dict[str, sam.Json]) -> None:
    report = body(answers["post-audit"], 200)
    assert (report["status"], report["mode"], report["events_checked"]) == ("intact", "full", 9)
    assert report["findings"] == []
    assert report["audit_id"] in json.dumps(body(answers["get-audits"], 200))


def test_audit_of_an_unknown_id_is_a_problem(answers: dict[str, sam.Json]) -> None:
    problem = body(answers["get-audit-unknown"], 404)
    assert not answers["get-audit-unknown"]["isBase64Encoded"]
    assert problem["status"] == 404
    assert answers["get-audit-unknown"]["headers"]["content-type"] == "application/problem+json"


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_audit_on_schedule_goes_through_every_chain(answers: dict[str, sam.Json], mode: str) -> None:
    audits = answers[f"schedule-{mode}"]["audits"]
    assert all(audit.pop("audit_id") for audit in audits)
    assert audits == [{"chain": chain, "mode": mode, "status": "intact"} for chain in ("main", "eventlog.registry")]


def test_what_is_held_is_released_and_what_is_ordered_to_be_erased_waits_for_its_anchor(
    artifacts: Artifacts, answers: dict[str, sam.Json]
) -> None:
    held = body(answers["post-hold"], 201)
    assert (held["in_force"], body(answers["get-holds"], 200)["holds"]) == (True, [held])
    assert body(answers["post-hold-release"], 201)["in_force"] is False
    ordered = body(answers["post-erasure"], 202)
    assert (ordered["state"], ordered["events"], ordered["by"]) == ("logged", 2, "privacy-desk-3")
    assert body(answers["get-erasures"], 200)["erasures"][0]["event_id"] == ordered["event_id"]
    assert body(answers["get-erasure"], 200) == body(answers["post-erasure-approval"], 200) == ordered
    assert (answers["schedule-erase"]["emptied"], answers["schedule-erase"]["carried_out"]) == (0, 0)
    artifacts.call("ChainAuditFunction", ["schedule-incremental"])  # anchors it
    done, now = artifacts.call("EraseFunction", ["schedule-erase", "get-erasure"])
    assert (done["emptied"], done["carried_out"], done["failed"]) == (2, 1, 0)
    assert (body(now, 200)["state"], body(now, 200)["erased"]) == ("erased", 2)
    (full,) = artifacts.call("AuditRequestsFunction", ["post-audit"])
    report = body(full, 200)
    assert (report["status"], report["erased"], report["findings"]) == ("intact", 2, [])


def asked_by(name: str, principal: str, **changed: str) -> sam.Json:
    """A sample event of another caller, of another request and with another body."""
    text = json.dumps(sam.sample(name)).replace("01936f00-0000-7000-8000-000000000011", SECOND_REQUEST)
    event: sam.Json = json.loads(text)
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = principal
    return event | changed


@pytest.mark.usefixtures("answers")
def test_where_two_people_erase_the_second_one_orders_it(artifacts: Artifacts) -> None:
    body_of = json.dumps({"events": [{"seq": 5}], "basis": "gdpr-art-17", "reason": "2", "request_id": SECOND_REQUEST})
    asks = asked_by("post-erasure", "desk", body=body_of)
    approvals = [asked_by("post-erasure-approval", principal) for principal in ("desk", "officer", "officer")]
    shown = asked_by("get-erasure", "officer")
    given = artifacts.send("EraseFunction", [asks, shown, *approvals], EVENTLOG_ERASURE_APPROVALS="2")
    waits, looked, refused, approved, again = given
    assert (body(waits, 202)["state"], body(waits, 202)["seq"], len(body(looked, 200)["seqs"])) == ("waiting", None, 1)
    assert "desk asked for this erasure" in body(refused, 409)["detail"]
    ordered = body(approved, 202)
    assert (ordered["state"], ordered["by"], ordered["approved_by"]) == ("logged", "desk", "officer")
    assert body(again, 200) == ordered
    artifacts.call("ChainAuditFunction", ["schedule-incremental"])  # anchors it
    events = [sam.sample("schedule-erase"), shown]
    done, now = artifacts.send("EraseFunction", events, EVENTLOG_ERASURE_APPROVALS="2")
    assert (done["emptied"], body(now, 200)["state"], body(now, 200)["approved_by"]) == (1, "erased", "officer")
    (full,) = artifacts.call("AuditRequestsFunction", ["post-audit"])
    assert (body(full, 200)["status"], body(full, 200)["findings"]) == ("intact", [])


def test_the_witness_knows_a_log_cosigns_it_and_shows_what_it_cosigned(answers: dict[str, sam.Json]) -> None:
    assert answers["witness-add-log"] == {"origin": "log.example/eventlog/main", "added": True}
    cosigned, shown = answers["post-witness-checkpoint"], answers["get-witness-checkpoint"]
    assert (cosigned["statusCode"], cosigned["isBase64Encoded"], shown["statusCode"]) == (200, False, 200)
    (vkey,) = body(answers["get-witness"], 200)["vkeys"]
    (line,) = parse_answer(cosigned["body"].encode())
    note = parse_note(shown["body"].encode())
    assert note.signatures[-1] == line
    assert len(verify_cosignatures(note, [parse_cosigner_vkey(vkey)])) == 1


@pytest.mark.usefixtures("answers")
def test_no_payload_and_no_credential_is_logged(artifacts: Artifacts) -> None:
    assert '"service":"eventlog-ingest"' in artifacts.output
    for secret in ("VINET", "V. Vinet", "AWS4-HMAC-SHA256", "Bearer ", artifacts.mongo_uri):
        assert secret not in artifacts.output


def native(built: Path) -> Iterator[Path]:
    yield from (built / "EventLogLayer").rglob("*.so")


def test_the_host_build_runs_here(host_build: Path) -> None:
    suffixes = (sysconfig.get_config_var("EXT_SUFFIX"), ".abi3.so")
    assert all(path.name.endswith(suffixes) for path in native(host_build))


def test_the_default_build_runs_on_lambda(lambda_build: Path) -> None:
    names = [path.name for path in native(lambda_build)]
    assert len(names) >= 5
    assert all(name.endswith((".cpython-313-x86_64-linux-gnu.so", ".abi3.so")) for name in names)
    for wheel in (lambda_build / "EventLogLayer" / "python").glob("*.dist-info/WHEEL"):
        tags = re.findall(r"^Tag: (\S+)", wheel.read_text(encoding="utf-8"), re.MULTILINE)
        assert any(re.fullmatch(r"\S*py3-none-any|cp3\d+-(cp313|abi3)-manylinux\S*x86_64", tag) for tag in tags), wheel
    assert all(".cpython-313." in path.name for path in lambda_build.rglob("*.pyc"))


def test_a_build_holds_the_code_and_nothing_else(lambda_build: Path) -> None:
    pages = sam.ROOT / "functions/query/dashboard"
    for function in sam.FUNCTIONS:
        built = lambda_build / function
        files = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
        dashboard = {path.relative_to(pages.parent) for path in pages.rglob("*") if path.is_file()}
        dashboard = {path for path in dashboard if path.name != "README.md"} if function == "QueryFunction" else set()
        assert files == {Path("app.py")} | dashboard
    layer = lambda_build / "EventLogLayer" / "python"
    shipped = {path.relative_to(layer) for path in (layer / "eventlog").rglob("*.py")}
    written = (sam.ROOT / "layers/eventlog/src").rglob("eventlog/**/*.py")
    assert shipped == {path.relative_to(sam.ROOT / "layers/eventlog/src") for path in written}
    assert not list(lambda_build.rglob("Makefile"))
