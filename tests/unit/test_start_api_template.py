"""What the local API reads from the template, against the template as CloudFormation would see it."""

import pytest

from local.machine import LocalError
from local.start_api import template
from local.start_api.aws import LocalAws
from local.start_api.database import USERS
from local.start_api.kms import KmsServer
from local.start_api.sources import record
from local.start_api.template import Served, declared
from tests.infrastructure import sam

WRITTEN = sam.ROOT / "template.yaml"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what SAM says of itself
MOTO = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def served() -> Served:
    symbols = LocalAws(MOTO, KmsServer(MOTO)).symbols(declared(WRITTEN))
    secrets = {parameter: f"arn:of:{user}" for parameter, user in USERS.items()}
    return Served(WRITTEN, {**symbols, **secrets, "LogOrigin": "localhost/x", "MongoDatabase": "eventlog"})


def test_sams_reader_finds_every_route_and_its_function(served: Served) -> None:
    found = {f"{method} {route.path}": route.function_name for route in served.api().routes for method in route.methods}
    assert found == sam.routes()


def test_each_function_has_its_own_environment_with_every_name_resolved(served: Served) -> None:
    functions = {function.name: function for function in served.functions()}
    assert functions.keys() == sam.FUNCTIONS.keys()
    variables = {name: function.variables for name, function in functions.items()}
    assert variables["WitnessFunction"]["EVENTLOG_WITNESS_STATE"] == "s3://witnessbucket"
    assert "MONGO_URI_SECRET" not in variables.pop("WitnessFunction")
    secrets = {name: found["MONGO_URI_SECRET"] for name, found in variables.items()}
    assert secrets == {
        "IngestFunction": "arn:of:eventlog-ingest",
        "IngestQueueFunction": "arn:of:eventlog-ingest",
        "QueryFunction": "arn:of:eventlog-query",
        "StreamFunction": "arn:of:eventlog-query",
        "ChainAuditFunction": "arn:of:eventlog-audit",
        "AuditRequestsFunction": "arn:of:eventlog-audit",
        "EraseFunction": "arn:of:eventlog-erase",
    }
    ingest, audit = functions["IngestFunction"].variables, functions["ChainAuditFunction"].variables
    assert ingest["EVENTLOG_QUEUE_URL"] == f"{MOTO}/123456789012/IngestQueue.fifo"
    assert (audit["EVENTLOG_ANCHORS"], audit["EVENTLOG_SIGNING_KEYS"]) == ("s3://anchorbucket", "kms:SigningKey")
    assert audit["AWS_LAMBDA_FUNCTION_TIMEOUT"] == "900"
    assert not [value for each in functions.values() for value in each.variables.values() if "${" in value]


def test_the_schedules_and_the_queue_call_what_the_template_says(served: Served) -> None:
    schedules = {found.name: (found.function, found.seconds, found.payload) for found in served.schedules()}
    assert schedules["Incremental"][:2] == ("ChainAuditFunction", 60)
    assert schedules["Full"] == ("ChainAuditFunction", 86400, b'{"source":"eventlog.schedule","mode":"full"}')
    (source,) = served.sources()
    assert (source.function, source.batch_size, source.partial) == ("IngestQueueFunction", 10, True)
    assert source.queue_arn == "arn:aws:sqs:eu-central-1:123456789012:IngestQueue.fifo"


@pytest.mark.parametrize(
    ("text", "seconds"), [("rate(1 minute)", 60), ("rate(5 minutes)", 300), ("rate(2 days)", 172800)]
)
def test_a_rate_is_understood(text: str, seconds: int) -> None:
    assert template._seconds(text) == seconds


def test_a_schedule_that_is_no_rate_is_refused() -> None:
    with pytest.raises(LocalError, match="is no rate"):
        template._seconds("cron(0 3 * * ? *)")


def test_a_message_looks_as_lambda_hands_it_over() -> None:
    sample = sam.sample("queue-batch")["Records"][0]
    received = {name[0].upper() + name[1:]: value for name, value in sample.items()}
    found = record(received | {"MD5OfBody": sample["md5OfBody"]}, sample["eventSourceARN"])
    assert found == sample
