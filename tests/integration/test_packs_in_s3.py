"""Packs where the cloud has them: of functions as they are wired, in S3 with Object Lock (moto's, over HTTP)."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import boto3
import pytest

from eventlog.anchors.keys import note_key
from eventlog.anchors.packed import FROM_HERE
from eventlog.audit import going_round
from eventlog.audit.report import AuditReport
from eventlog.audit.reports import Reports
from eventlog.chain_names import REGISTRY
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.http.audits import run_scheduled
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from tests.contract.conftest import ACCOUNT
from tests.support.anchored import ORIGIN, kinds, new_key
from tests.support.anchoring import Key
from tests.support.factories import draft
from tests.support.s3_server import client_of, serving_s3

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHAINS = [f"c{number:02}" for number in range(12)]
FEW = CHAINS[:5]
DAYS = 30
_PACK = re.compile(r"/_packs/packs/[0-9]{12}\Z")
_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>as S3 says it</Message></Error>'


@dataclass
class Front:
    """Before moto: it remembers what was asked for and how that was answered, and may answer puts of packs otherwise.

    ``instead``: status lines and codes of the next answers to such puts; ``applied``: whether they are made all the
    same.
    """

    app: "WSGIApplication"
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    instead: list[tuple[str, str]] = field(default_factory=list)
    applied: bool = False

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        condition, status = environ.get("HTTP_IF_NONE_MATCH", ""), ["500 Never answered"]

        def start(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            status[0] = line
            return start_response(line, headers, *more)

        def told(body: Iterable[bytes]) -> Iterable[bytes]:
            self.asked.append((method, path, condition, status[0][:3]))
            return body

        if method != "PUT" or not _PACK.search(path) or not self.instead:
            return told(self.app(environ, start))
        if self.applied:
            list(self.app(environ, lambda *_: cast(Any, None)))
        else:
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        line, code = self.instead.pop(0)
        start(line, [("Content-Type", "application/xml")])
        return told([_ERROR.format(code).encode()])

    def puts(self) -> list[tuple[str, str]]:
        """What was put since it was asked last, as places and answers; all of it only where nothing is."""
        found = [(path.split("/", 2)[2], status) for method, path, _, status in self.asked if method == "PUT"]
        assert {condition for method, _, condition, _ in self.asked if method == "PUT"} <= {"*"}
        self.asked.clear()
        return found


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round of so few chains is one of many."""
    monkeypatch.setattr(going_round, "MANY", 4)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Front]]:
    fronts: list[Front] = []

    def behind(app: "WSGIApplication") -> Front:
        fronts.append(Front(app))
        return fronts[0]

    with serving_s3(behind) as url:
        yield url, fronts[0]


@dataclass
class Cloud:
    """A bucket that locks what it gets, and functions that audit."""

    settings: Settings
    bucket: str
    client: Any
    front: Front

    @contextmanager
    def function(self, *, packing: bool = True) -> Iterator[AuditWiring]:
        """What an audit function works with that has just started."""
        connection = Connection(self.settings.model_copy(update={"anchor_packs": packing}))
        try:
            wired = AuditWiring(connection)
            assert wired.anchoring
            assert wired.anchoring.packed
            # The others are waited for however slow the machine is: how many packs there are is not left to chance.
            wired.anchoring.packed.gathering._wait = 60
            yield wired
        finally:
            connection.close()

    def objects(self) -> list[str]:
        """The keys of all objects that are there."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


@pytest.fixture
def cloud(
    served: tuple[str, Front], mongo_uri: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cloud:
    url, front = served
    direct = {"AWS_ENDPOINT_URL_S3": url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    for name, value in (ACCOUNT | direct).items():
        monkeypatch.setenv(name, value)
    client, bucket = client_of(url), f"anchors-{uuid4().hex}"
    where: Any = {"LocationConstraint": "eu-central-1"}
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)
    rule: Any = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": DAYS}}
    lock: Any = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    new_key(tmp_path / "key")
    settings = Settings(
        mongo_uri=mongo_uri,
        mongo_database=database,
        origin=ORIGIN,
        anchors=f"s3://{bucket}",
        anchor_retention_days=DAYS,
        signing_keys=str(tmp_path / "key"),
    )
    front.asked.clear()
    return Cloud(settings, bucket, client, front)


def grow(wired: AuditWiring, chains: list[str]) -> None:
    for chain in chains:
        wired.log.append(chain, [draft(chain=chain)])


def round_of(wired: AuditWiring, mode: str = "incremental") -> dict[str, AuditReport]:
    """A round of the schedule, as the function makes one."""
    reports = Reports(wired.reports)
    return {short["chain"]: reports.report(short["audit_id"]) for short in run_scheduled(wired, mode)["audits"]}


def check_intact(reports: dict[str, AuditReport]) -> None:
    found = {(report.status, report.findings, report.unanchored_events) for report in reports.values()}
    assert found == {("intact", (), 0)}


def audit_one(wired: AuditWiring, chain: str, mode: str = "incremental") -> tuple[str, list[tuple[str, int | None]]]:
    """An audit that somebody asks for."""
    run = wired.auditor.start(chain, "full" if mode == "full" else "incremental")
    report = wired.auditor.run(run, 60)
    return report.status, kinds(report)


def test_a_round_puts_as_many_objects_for_all_chains_as_for_a_few_and_each_is_locked(cloud: Cloud) -> None:
    with cloud.function() as wired:
        grow(wired, CHAINS)
        check_intact(round_of(wired))
        for grown in (FEW, CHAINS):
            grow(wired, grown)
            before, _ = set(cloud.objects()), cloud.front.puts()
            reports = round_of(wired)
            check_intact(reports)
            assert list(reports) == [*CHAINS, REGISTRY]
            put = cloud.front.puts()
            kind = Counter(path.split("/")[0] for path, _ in put)
            # Of the first one, which is audited alone, a claim and an anchor, and of all others at once two packs.
            assert kind == {"_packs": 4, REGISTRY: 2}
            assert {status for _, status in put} == {"200"}
            assert set(cloud.objects()) - before == {path for path, _ in put}
    until = datetime.now(UTC) + timedelta(days=DAYS)
    for key in cloud.objects():
        head = cloud.client.head_object(Bucket=cloud.bucket, Key=key)
        assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"] >= until) == ("COMPLIANCE", True)
    assert {key for key in cloud.objects() if key.startswith("c")} == {f"{c}/000000000001.claim" for c in CHAINS}
    found = cloud.client.get_object(Bucket=cloud.bucket, Key="c00/000000000001.claim")["Body"].read()
    assert found == FROM_HERE


def test_a_function_makes_one_client_for_all_that_it_keeps_in_the_bucket(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anchors, packs, cosignatures, and orders to erase."""
    made, client = list[str](), boto3.client

    def making(service: str, **more: Any) -> Any:
        made.append(service)
        return client(service, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(boto3, "client", making)
    (tmp_path / "policy").write_text("quorum none\n")
    key = format_vkey(VerifierKey(ORIGIN, Key(1).public_key, KIND))
    more = {"governance_keys": key, "witness_policy": str(tmp_path / "policy")}
    with Cloud(cloud.settings.model_copy(update=more), cloud.bucket, cloud.client, cloud.front).function() as wired:
        grow(wired, CHAINS[:1])
        check_intact(round_of(wired))
        assert wired.witnessing
        assert wired.restorer.orders
    assert made == ["s3"]


def test_functions_that_have_just_started_go_on_in_packs_and_find_all_that_is_there(cloud: Cloud) -> None:
    for number in range(3):
        with cloud.function() as wired:
            grow(wired, CHAINS)
            cloud.front.asked.clear()
            check_intact(round_of(wired))
            read = {path for method, path, *_ in cloud.front.asked if method == "GET" and _PACK.search(path)}
        # Each chain's newest anchor is in one of the round before: the first chain's, or that of all others.
        assert {int(path[-12:]) for path in read} == ({4 * number - 2, 4 * number} if number else set())
    for packing in (False, True):
        with cloud.function(packing=packing) as wired:
            assert audit_one(wired, "c03", "full") == ("intact", [])
            grow(wired, FEW)
            check_intact(round_of(wired))
    with cloud.function() as wired:
        check_intact(round_of(wired, "full"))
        assert wired.anchoring is not None
        places = [wired.anchoring.anchors.pack_of("c00", note_key(number)) for number in range(1, 6)]
        assert places == [2, 6, 10, 14, 18]


def test_a_pack_that_is_hidden_is_missed_and_one_that_is_shown_again_is_not(cloud: Cloud) -> None:
    """A locked version can't be removed; a delete marker may be put over it by whom the bucket's policy lets."""
    with cloud.function() as wired:
        for _ in range(3):
            grow(wired, CHAINS)
            check_intact(round_of(wired))
    for pack, mode in ((8, "full"), (12, "incremental")):  # of the second round's anchors, and of the last one's
        place = {"Bucket": cloud.bucket, "Key": f"_packs/packs/{pack:012}"}
        version = cloud.client.head_object(**place)["VersionId"]
        with pytest.raises(cloud.client.exceptions.ClientError, match="AccessDenied"):
            cloud.client.delete_object(**place, VersionId=version)
        marker = cloud.client.delete_object(**place)["VersionId"]
        with cloud.function() as wired:
            for chain in ("c01", "c11"):
                assert audit_one(wired, chain, mode) == ("tampered", [("checkpoint_missing", None)])
            assert audit_one(wired, "c00", mode) == ("intact", [])
        cloud.client.delete_object(**place, VersionId=marker)
        with cloud.function() as wired:
            assert audit_one(wired, "c11", mode) == ("intact", [])


CONFLICT = ("409 Conflict", "ConditionalRequestConflict")
SLOW_DOWN = ("503 Slow Down", "SlowDown")


@pytest.mark.parametrize(
    ("instead", "applied", "refused"),
    [([CONFLICT, CONFLICT], False, []), ([SLOW_DOWN], False, []), ([SLOW_DOWN, SLOW_DOWN], True, ["412"])],
    ids=["conflict", "throttled", "made, and the answers lost"],
)
def test_a_put_that_s3_refuses_twice_or_does_not_answer_leaves_one_history(
    cloud: Cloud, instead: list[tuple[str, str]], applied: bool, refused: list[str]
) -> None:
    with cloud.function() as wired:
        grow(wired, CHAINS)
        check_intact(round_of(wired))
        for lost in (3, 4):  # the claims, then the anchors, of all but the chain that is audited alone
            grow(wired, CHAINS)
            cloud.front.puts()
            cloud.front.applied = applied
            check_intact(_losing(cloud, wired, instead, lost))
            put = [(path, status) for path, status in cloud.front.puts() if path.startswith("_packs/")]
            assert len({path for path, _ in put}) == 4
            told = [line[:3] for line, _ in instead]
            assert sorted(status for _, status in put) == sorted([*told, *refused, *["200"] * (4 - len(refused))])
    with cloud.function() as wired:
        check_intact(round_of(wired, "full"))


def _losing(cloud: Cloud, wired: AuditWiring, instead: list[tuple[str, str]], lost: int) -> dict[str, AuditReport]:
    """A round in which one put of a pack is answered otherwise."""
    count = [0]

    def before(**_: Any) -> None:
        count[0] += 1
        if count[0] == lost:
            cloud.front.instead = list(instead)

    with hooked(wired, before):
        return round_of(wired)


@contextmanager
def hooked(wired: AuditWiring, before: Callable[..., None]) -> Iterator[None]:
    """Have something done before each put of a pack by this function."""
    assert wired.anchoring is not None
    assert wired.anchoring.packed is not None

    def is_put(params: dict[str, Any], **_: Any) -> None:
        if _PACK.search(f"/{params['Key']}"):
            before()

    events = cast(Any, wired.anchoring.packed._packs._objects)._client.meta.events
    events.register("provide-client-params.s3.PutObject", is_put)
    try:
        yield
    finally:
        events.unregister("provide-client-params.s3.PutObject", is_put)


def test_a_function_that_two_others_are_faster_than_puts_the_pack_after_theirs(cloud: Cloud) -> None:
    """They anchor other chains in the pack that it is about to put, and in the one that it tries then."""
    with cloud.function() as late, cloud.function() as first, cloud.function() as second:
        grow(late, CHAINS)
        check_intact(round_of(late))
        grow(late, CHAINS)
        found = list[tuple[str, list[tuple[str, int | None]]]]()
        faster = [(second, "c01"), (first, "c02")]

        def overtake() -> None:
            if faster:
                found.append(audit_one(*faster.pop()))

        cloud.front.puts()
        with hooked(late, overtake):
            assert audit_one(late, "c00") == ("intact", [])
        assert found == [("intact", [])] * 2
        put = [(int(path[-12:]), status) for path, status in cloud.front.puts() if path.startswith("_packs/")]
        assert put == [(5, "200"), (6, "200"), (5, "412"), (7, "200"), (8, "200"), (7, "412"), (9, "200"), (10, "200")]
        check_intact(round_of(late))
    with cloud.function() as wired:
        check_intact(round_of(wired, "full"))
