"""The contract of AnchorStore, kept by both stores: a directory, and S3 (moto, a bucket with Object Lock)."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.packed import PackedAnchors, PackPosition
from eventlog.anchors.places import PACKS, open_anchors
from eventlog.anchors.s3 import S3Anchors, connect
from eventlog.anchors.store import MAX_READ, AnchorStore
from eventlog.store.errors import AnchorsUnavailableError
from eventlog.store.interface.anchor_copies import AnchorCopies
from tests.contract.conftest import ACCOUNT

pytestmark = pytest.mark.usefixtures("aws")

Open = Callable[[], AnchorStore]
RACERS = 16
ODD_NAMES = ["", ".", "..", ".tmp-1", "-a", "A", "a/b", "../a", "a b", "a\n", "ä", "a" * 82]
KEYS = [f"{number:012d}.{kind}" for number in (9, 10, 99) for kind in ("claim", "note")] + ["restore-0002.note"]


class OneAtATime:
    """An S3 client whose puts follow one another: moto looks and stores in two steps, S3 in one."""

    def __init__(self, client: Any) -> None:
        self._client, self._lock = client, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def put_object(self, **request: Any) -> Any:
        with self._lock:
            return self._client.put_object(**request)


@pytest.fixture(scope="module")
def s3() -> Iterator[OneAtATime]:
    """One client for all tests: to make one takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ACCOUNT.items():
            patch.setenv(name, value)
        yield OneAtATime(connect())


class NoCopies:
    """``AnchorCopies`` of a database that has none."""

    def packs(self, chain: str, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:  # noqa: ARG002
        return iter(())

    def newest_number(self, chain: str) -> int:  # noqa: ARG002
        return 0


def packed(place: Path) -> AnchorStore:
    """What many chains get is put together there, but for the registry's."""
    objects, packs = DirectoryAnchors(place), DirectoryAnchors(place / PACKS)
    return PackedAnchors(objects, packs, cast(AnchorCopies, NoCopies()), PackPosition, packing=True)


@pytest.fixture(params=["directory", "s3", "s3-prefix", "packed"])
def open_store(request: pytest.FixtureRequest, s3: OneAtATime, tmp_path: Path) -> Open:
    """Opens one and the same store, each time anew."""
    if request.param == "packed":
        return lambda: packed(tmp_path / "not" / "made yet")
    if request.param == "directory":
        return lambda: open_anchors(str(tmp_path / "not" / "made yet"), 30)
    bucket, where = f"anchors-{uuid4().hex}", {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True, CreateBucketConfiguration=where)
    return lambda: S3Anchors(s3, bucket, "some/where" if request.param == "s3-prefix" else "", 30)


@pytest.fixture
def store(open_store: Open) -> AnchorStore:
    return open_store()


@pytest.fixture(params=["directory", "chain", "s3"])
def unavailable(request: pytest.FixtureRequest, tmp_path: Path) -> AnchorStore:
    """A store that can't be reached: a file where a directory should be, or an endpoint where nobody listens."""
    if request.param == "s3":
        config = Config(retries={"total_max_attempts": 1})
        return S3Anchors(boto3.client("s3", endpoint_url="http://127.0.0.1:1", config=config), "anchors")
    (tmp_path / "main").write_text("a file")
    return DirectoryAnchors(tmp_path / "main" if request.param == "directory" else tmp_path)


def test_an_empty_store_has_no_chains_keys_and_objects(store: AnchorStore) -> None:
    assert (list(store.chains()), list(store.keys("main")), store.read("main", "1.note")) == ([], [], None)


@pytest.mark.parametrize("data", [b"", b"a note\n", bytes(range(256)) * 64])
def test_what_was_created_is_read_back_by_whoever_opens_the_store(open_store: Open, data: bytes) -> None:
    assert open_store().create("main", "1.note", data) is True
    assert open_store().read("main", "1.note") == data


def test_an_object_is_not_created_twice(store: AnchorStore) -> None:
    assert store.create("main", "1.note", b"first")
    assert store.create("main", "1.note", b"second") is False
    assert store.create("main", "1.note", b"first") is False
    assert store.read("main", "1.note") == b"first"


def test_of_many_that_race_for_a_key_exactly_one_creates_it(store: AnchorStore) -> None:
    start = threading.Barrier(RACERS)

    def race(racer: int) -> bool:
        start.wait()
        return store.create("main", "1.claim", f"racer {racer}".encode())

    with ThreadPoolExecutor(RACERS) as pool:
        won = list(pool.map(race, range(RACERS)))
    assert won.count(True) == 1
    assert store.read("main", "1.claim") == f"racer {won.index(True)}".encode()


def test_keys_are_listed_in_order(store: AnchorStore) -> None:
    for key in reversed(KEYS):
        store.create("main", key, b"x")
    assert list(store.keys("main")) == sorted(KEYS) == KEYS


@pytest.mark.parametrize("after", ["", "000000000010", *KEYS, "~"])
def test_keys_are_listed_from_the_one_after_the_given_one(store: AnchorStore, after: str) -> None:
    for key in KEYS:
        store.create("main", key, b"x")
    assert list(store.keys("main", after)) == [key for key in KEYS if key > after]


def test_keys_are_listed_over_several_pages(store: AnchorStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")
    for key in KEYS:
        store.create("main", key, b"x")
        store.create(f"c{key}", "1.note", b"x")
    assert list(store.keys("main")) == KEYS
    assert sorted(store.chains()) == sorted([*(f"c{key}" for key in KEYS), "main"])


def test_chains_have_their_own_keys(store: AnchorStore) -> None:
    store.create("a", "1.note", b"of a")
    store.create("a.b", "2.note", b"of a.b")
    assert sorted(store.chains()) == ["a", "a.b"]
    assert (list(store.keys("a")), list(store.keys("a.b")), list(store.keys("b"))) == (["1.note"], ["2.note"], [])
    assert store.read("a", "2.note") is None


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_refused_when_something_is_to_be_created(store: AnchorStore, name: str) -> None:
    with pytest.raises(ValueError, match="can't be the name"):
        store.create(name, "1.note", b"x")
    with pytest.raises(ValueError, match="can't be the name"):
        store.create("main", name, b"x")
    assert list(store.chains()) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_there_is_nothing_under_an_odd_name(store: AnchorStore, name: str) -> None:
    store.create("main", "1.note", b"x")
    assert (store.read(name, "1.note"), store.read("main", name), list(store.keys(name))) == (None, None, [])


def test_the_longest_names_are_taken(store: AnchorStore) -> None:
    assert store.create("c" * 64, "k" * 81, b"x")
    assert (list(store.chains()), list(store.keys("c" * 64))) == (["c" * 64], ["k" * 81])


@pytest.mark.parametrize(("size", "read"), [(MAX_READ - 1, MAX_READ - 1), (MAX_READ + 1, MAX_READ)])
def test_a_read_is_cut_where_no_note_can_be_longer(store: AnchorStore, size: int, read: int) -> None:
    store.create("main", "1.note", bytes(size))
    assert store.read("main", "1.note") == bytes(read)


def test_an_unavailable_store_says_nothing_of_a_key(unavailable: AnchorStore) -> None:
    with pytest.raises(AnchorsUnavailableError, match=r"^anchors: "):
        unavailable.read("main", "1.note")
    with pytest.raises(AnchorsUnavailableError, match=r"^anchors: "):
        unavailable.create("main", "1.note", b"x")
    with pytest.raises(AnchorsUnavailableError, match=r"^anchors: "):
        list(unavailable.keys("main"))


@pytest.mark.parametrize("unavailable", ["directory", "s3"], indirect=True)
def test_an_unavailable_store_says_nothing_of_its_chains(unavailable: AnchorStore) -> None:
    with pytest.raises(AnchorsUnavailableError, match=r"^anchors: "):
        list(unavailable.chains())
