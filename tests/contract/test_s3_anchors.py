"""What is particular to anchors in S3: retention, delete markers, conflicts (moto; for conflicts, a Stubber)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from moto import mock_aws
from moto.core.models import botocore_stubber

from eventlog.anchors.places import open_anchors
from eventlog.anchors.s3 import ATTEMPTS, MARGIN, S3Anchors, connect
from eventlog.store.errors import AnchorsUnavailableError

pytestmark = pytest.mark.usefixtures("aws")

WHERE: Any = {"LocationConstraint": "eu-central-1"}
OBJECT: Any = {"Bucket": "anchors", "Key": "main/1.note"}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = connect()
        client.create_bucket(Bucket="anchors", ObjectLockEnabledForBucket=True, CreateBucketConfiguration=WHERE)
        yield client


@pytest.fixture
def store(client: Any) -> S3Anchors:
    return S3Anchors(client, "anchors", retention_days=30)


@pytest.fixture
def stubbed() -> Iterator[tuple[S3Anchors, Stubber]]:
    client = boto3.client("s3")
    with Stubber(client) as stubber:
        yield S3Anchors(client, "anchors"), stubber
        stubber.assert_no_pending_responses()


def conflict(stubber: Stubber, code: str = "ConditionalRequestConflict", status: int = 409) -> None:
    stubber.add_client_error("put_object", code, http_status_code=status)


def test_an_object_is_locked_in_compliance_mode_for_the_retention(store: S3Anchors, client: Any) -> None:
    before = datetime.now(UTC)
    store.create("main", "1.note", b"x")
    head = client.head_object(**OBJECT, ChecksumMode="ENABLED")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert abs(head["ObjectLockRetainUntilDate"] - before - timedelta(days=30) - MARGIN) < timedelta(minutes=1)
    assert head["ContentType"] == "text/plain; charset=utf-8"
    assert "ChecksumSHA256" in head


def test_a_locked_version_can_not_be_deleted(store: S3Anchors, client: Any) -> None:
    store.create("main", "1.note", b"x")
    version = client.head_object(**OBJECT)["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**OBJECT, VersionId=version)
    assert store.read("main", "1.note") == b"x"


def test_an_object_under_a_delete_marker_is_not_there(store: S3Anchors, client: Any) -> None:
    store.create("main", "1.note", b"x")
    client.delete_object(**OBJECT)
    assert (store.read("main", "1.note"), list(store.keys("main"))) == (None, [])


def test_the_version_under_a_delete_marker_can_be_had_back(store: S3Anchors, client: Any) -> None:
    store.create("main", "1.note", b"x")
    marker = client.delete_object(**OBJECT)["VersionId"]
    client.delete_object(**OBJECT, VersionId=marker)
    assert store.read("main", "1.note") == b"x"


def test_objects_under_a_prefix_are_a_store_of_their_own(store: S3Anchors, client: Any) -> None:
    open_anchors("s3://anchors/some/where/", 1).create("main", "1.note", b"below")
    store.create("main", "1.note", b"above")
    assert client.get_object(Bucket="anchors", Key="some/where/main/1.note")["Body"].read() == b"below"
    assert open_anchors("s3://anchors/some/where", 1).read("main", "1.note") == b"below"
    assert open_anchors("s3://anchors", 1).read("main", "1.note") == b"above"


@pytest.mark.parametrize("prefix", ["", "some/where"])
def test_what_is_kept_in_a_folder_beside_is_a_store_of_its_own_and_locked_as_long(client: Any, prefix: str) -> None:
    store = S3Anchors(client, "anchors", prefix, 30)
    before = datetime.now(UTC)
    assert store.beside("_packs").create("packs", "1", b"x")
    head = client.head_object(Bucket="anchors", Key=f"{prefix}/_packs/packs/1".removeprefix("/"))
    assert abs(head["ObjectLockRetainUntilDate"] - before - timedelta(days=30) - MARGIN) < timedelta(minutes=1)
    assert (list(store.chains()), list(store.beside("_packs").chains())) == ([], ["packs"])


@pytest.mark.parametrize("key", ["readme.txt", "main/deeper/1.note", "main/", "main/A", "Main/1.note"])
def test_other_objects_in_the_bucket_are_ignored(store: S3Anchors, client: Any, key: str) -> None:
    store.create("main", "1.note", b"x")
    client.put_object(Bucket="anchors", Key=key, Body=b"y", ChecksumAlgorithm="SHA256")
    assert (list(store.chains()), list(store.keys("main"))) == (["main"], ["1.note"])


def test_a_bucket_that_is_not_there_is_unavailable(client: Any) -> None:
    store = S3Anchors(client, "another")
    with pytest.raises(AnchorsUnavailableError, match="NoSuchBucket in GetObject"):
        store.read("main", "1.note")
    with pytest.raises(AnchorsUnavailableError, match="NoSuchBucket in ListObjectsV2"):
        list(store.keys("main"))
    with pytest.raises(AnchorsUnavailableError, match="NoSuchBucket in PutObject"):
        store.create("main", "1.note", b"x")


def test_a_put_is_exclusive_locked_and_checked(stubbed: tuple[S3Anchors, Stubber]) -> None:
    store, stubber = stubbed
    wanted = OBJECT | {
        "Body": b"x",
        "ContentType": "text/plain; charset=utf-8",
        "IfNoneMatch": "*",
        "ChecksumAlgorithm": "SHA256",
        "ObjectLockMode": "COMPLIANCE",
        "ObjectLockRetainUntilDate": ANY,
    }
    stubber.add_response("put_object", {}, wanted)
    assert store.create("main", "1.note", b"x") is True


def test_a_put_that_conflicts_with_another_is_made_again(stubbed: tuple[S3Anchors, Stubber]) -> None:
    store, stubber = stubbed
    conflict(stubber)
    conflict(stubber)
    stubber.add_response("put_object", {})
    assert store.create("main", "1.note", b"x") is True


def test_a_put_whose_rival_won_the_conflict_created_nothing(stubbed: tuple[S3Anchors, Stubber]) -> None:
    store, stubber = stubbed
    conflict(stubber)
    conflict(stubber, "PreconditionFailed", 412)
    assert store.create("main", "1.note", b"x") is False


def test_a_conflict_that_does_not_end_leaves_open_what_is_there(stubbed: tuple[S3Anchors, Stubber]) -> None:
    store, stubber = stubbed
    for _ in range(ATTEMPTS):
        conflict(stubber)
    with pytest.raises(AnchorsUnavailableError, match="ConditionalRequestConflict"):
        store.create("main", "1.note", b"x")


def test_a_put_whose_answer_is_lost_is_made_again_and_finds_its_own_object(store: S3Anchors, client: Any) -> None:
    lost: list[Any] = []

    def lose_the_first(request: Any, **_: Any) -> AWSResponse | None:
        if lost:
            return None
        answer = botocore_stubber("before-send", request)
        assert answer
        lost.append(answer.status_code)
        answer.status_code = 500
        return answer

    client.meta.events.register_first("before-send.s3.PutObject", lose_the_first)
    assert store.create("main", "1.note", b"x") is False
    assert (lost, store.read("main", "1.note")) == ([200], b"x")


@pytest.mark.parametrize(("code", "status"), [("AccessDenied", 403), ("SlowDown", 503), ("InternalError", 500)])
def test_another_refusal_leaves_open_what_is_there(stubbed: tuple[S3Anchors, Stubber], code: str, status: int) -> None:
    store, stubber = stubbed
    conflict(stubber, code, status)
    with pytest.raises(AnchorsUnavailableError, match=f"{code} in PutObject"):
        store.create("main", "1.note", b"x")
    stubber.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(AnchorsUnavailableError, match=f"{code} in GetObject"):
        store.read("main", "1.note")
