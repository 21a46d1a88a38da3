"""What a function's start imports and opens: counted in interpreters that have the built artefacts alone."""

import json
import marshal
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tools.benchmarks.cold_start import FUNCTIONS, HANDLER
from tools.package_check.build import BuildDirectory

# Modules that a start must not import. What only the audit needs, and only once it signs, restores or has much to do;
# what only a server of one machine has; PyMongo's and powertools' optional parts, and what only development has:
NEVER = {
    *(
        "eventlog.audit.restore",
        "eventlog.audit.worker_pool",
        "eventlog.audit.segment_worker",
        "multiprocessing.connection",
    ),
    *("eventlog.anchors.directory", "eventlog.files", "eventlog.http.tokens"),
    *("cryptography", "_cffi_backend", "eventlog.anchors.signing", "eventlog.anchors.s3", "pydantic.v1.main"),
    *("eventlog.witness.s3", "eventlog.witness.directory", "eventlog.witness.keys"),
    *("boto3", "botocore", "urllib3", "aws_xray_sdk", "aws_lambda_powertools.utilities.parameters"),
    *("dns", "gridfs", "pymongocrypt", "pymongo.ocsp_support", "pymongo.srv_resolver"),
    *("httpx", "multipart", "python_multipart", "uvicorn", "jinja2", "yaml", "pytest", "mypy"),
}
INGEST = {"eventlog.http.ingest", "eventlog.ingest.appending", "eventlog.ingest.cloudevents"}
INGEST |= {"eventlog.store.group_commit", "eventlog.wiring.ingest"}
SUBMISSIONS = {"eventlog.ingest.native", "eventlog.ingest.submission", "eventlog.ingest.queue_message"}
QUERY = {"eventlog.http.pages", "eventlog.http.event_query", "eventlog.http.cursor", "eventlog.http.evidence"}
QUERY |= {"eventlog.evidence.proofs", "eventlog.http.export", "eventlog.evidence.export"}
STREAM = {"eventlog.http.event_query", "eventlog.http.cursor", "eventlog.evidence.proofs", "eventlog.wiring.query"}
STREAM |= {"eventlog.streams.readers", "eventlog.streams.watcher", "eventlog.store.mongo.changes"}
QUERY |= STREAM
STREAM |= {"eventlog.http.stream"}
AUDIT = {"eventlog.http.audits", "eventlog.audit.auditor", "eventlog.audit.workers", "eventlog.wiring.audit"}
AUDIT |= {"eventlog.verify.verifier", "eventlog.http.audit_schemas"}
QUEUE = {"eventlog.ingest.deliveries", "eventlog.ingest.queue_consumer", "eventlog.ingest.cloudevents"}
QUEUE |= {"eventlog.wiring.queue"}
OWN = {"ingest": INGEST, "query": QUERY, "stream": STREAM, "chain_audit": AUDIT, "ingest_queue": QUEUE}
OWN["erase"] = {"eventlog.http.governance", "eventlog.wiring.erase", "eventlog.governance.ordering"}
OWN["witness"] = {"eventlog.http.witness", "eventlog.wiring.witness", "eventlog.witness.witness"}
OWN = OWN | {name: OWN[name] | SUBMISSIONS for name in ("ingest", "ingest_queue")}

WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.fork", "os.exec")
WATCH = f"""
import json
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in {WATCHED} else None)
{HANDLER}
loaded = list(sys.modules)
import gc, threading
collects, frozen, generations = gc.isenabled(), gc.get_freeze_count(), gc.get_stats()
from pydantic import BaseModel
def models(kind):
    return [model for each in kind.__subclasses__() for model in (each, *models(each))]
built = [f"{{each.__module__}}.{{each.__name__}}" for each in models(BaseModel) if each.__pydantic_complete__]
collector = [collects, frozen, generations]
print(json.dumps([loaded, seen, threading.active_count(), *collector, built, BaseModel.model_config]))
"""


class Started(NamedTuple):
    """What a function's start has loaded and done, and how the collector of garbage stands after it.

    ``built`` are the models that pydantic has built, ``inherited`` the settings that every other model begins with.
    """

    modules: list[str]
    seen: list[str]
    threads: int
    collects: bool
    frozen: int
    generations: list[dict[str, int]]
    built: list[str]
    inherited: dict[str, object]


@pytest.fixture(scope="module")
def built(host_build: Path) -> BuildDirectory:
    return BuildDirectory(host_build)


@pytest.fixture(scope="module")
def starts(built: BuildDirectory) -> dict[str, Started]:
    done = {name: built.python(WATCH, logical_id) for name, logical_id in FUNCTIONS.items()}
    return {name: Started(*json.loads(each.stdout)) for name, each in done.items()}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_imports_its_own_service_and_no_other(starts: dict[str, Started], function: str) -> None:
    imported = set(starts[function].modules)
    others = set[str]().union(*OWN.values()) - OWN[function]
    assert OWN[function] - imported == set()
    assert imported & others == set()


def test_what_a_start_must_not_import_of_ours_exists() -> None:
    assert [name for name in NEVER if name.startswith("eventlog.") and find_spec(name) is None] == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_imports_nothing_that_a_request_rarely_needs(starts: dict[str, Started], function: str) -> None:
    assert NEVER.intersection(starts[function].modules) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_opens_no_connection_and_starts_no_thread_or_process(starts: dict[str, Started], function: str) -> None:
    assert starts[function].seen == []
    assert starts[function].threads == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_collects_garbage_neither_while_it_lasts_nor_in_the_first_request(
    starts: dict[str, Started], function: str
) -> None:
    assert starts[function].collects
    assert starts[function].frozen > 50_000
    assert starts[function].generations[2]["collections"] == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_builds_no_model_that_is_for_the_openapi_document(starts: dict[str, Started], function: str) -> None:
    built = starts[function].built
    assert [name for name in built if "_schemas." in name and not name.endswith("Request")] == []
    assert sum(name.startswith("fastapi.openapi.models.") for name in built) < 10
    assert starts[function].inherited == {}


def test_the_memory_of_an_answer_is_kept_for_the_next_one(built: BuildDirectory) -> None:
    answers = """
import eventlog.start
from resource import RUSAGE_SELF, getrusage
def answer():
    return len([bytearray(1 << 20) for _ in range(4)])
answer()
before = getrusage(RUSAGE_SELF).ru_minflt
print([answer() for _ in range(10)] and getrusage(RUSAGE_SELF).ru_minflt - before)
"""
    found = built.python(answers, FUNCTIONS["query"])
    assert int(found.stdout) < 500, "page faults; 10,240 where each answer takes its memory anew"


def test_every_module_of_the_layer_comes_with_bytecode_that_is_never_checked_against_its_source(
    built: BuildDirectory,
) -> None:
    layer = built.layer / "python"
    sources = set(layer.rglob("*.py"))
    compiled = {path.parent.parent / f"{path.name.partition('.')[0]}.py": path for path in layer.rglob("*.pyc")}
    assert compiled.keys() == sources
    flags = {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled.values()}
    assert flags == {0b01}, "PEP 552: hash-based and unchecked"


def test_bytecode_names_the_place_where_lambda_puts_the_layer(built: BuildDirectory) -> None:
    (compiled,) = (built.layer / "python/eventlog/__pycache__").glob("start.*.pyc")
    assert marshal.loads(compiled.read_bytes()[16:]).co_filename == "/opt/python/eventlog/start.py"


def test_the_layer_leaves_out_what_the_runtime_has(built: BuildDirectory) -> None:
    names = {path.name for path in (built.layer / "python").iterdir()}
    assert names & {"boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3", "pip", "bin"} == set()
