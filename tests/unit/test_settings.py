"""Settings of evidence: what must come together, what must be well-formed, and what an app makes of them."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from eventlog.anchors.directory import DirectoryAnchors
from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.settings import Settings
from eventlog.wiring.audit import AuditWiring
from eventlog.wiring.connection import Connection
from local.anchors import open_anchors
from tests.support.each import each
from tools.package_check.template import read

BASE_PATH = read(Path(__file__).parents[2] / "template.yaml").written["Parameters"]["BasePath"]["AllowedPattern"]
RETIRED = format_vkey(VerifierKey("log.example.com/main", b"r" * 32))


def test_nothing_is_anchored_unless_it_is_set() -> None:
    wired = AuditWiring(Connection(Settings()))
    assert (wired.anchors, wired.signers, wired.trusted_keys) == (None, [], [])


@pytest.mark.parametrize("given", [{"anchors": "/anchors"}, {"signing_keys": "key.pem"}])
def test_anchors_and_keys_come_together(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS come together"):
        Settings.model_validate(given)


@each(
    "given, refused",
    [
        ({"EVENTLOG_REHASH_DAYS": 30}, "EVENTLOG_REHASH_DAYS needs EVENTLOG_ANCHORS"),
        ({"EVENTLOG_REHASH_DAYS": 3, "anchors": "/a", "signing_keys": "k"}, "at least twice EVENTLOG_FULL_AUDIT_HOURS"),
        ({"EVENTLOG_REHASH_DAYS": -1}, "greater than or equal to 0"),
    ],
)
def test_audits_roll_only_over_what_is_signed_and_not_faster_than_they_come(
    given: dict[str, object], refused: str
) -> None:
    with pytest.raises(ValidationError, match=refused):
        Settings.model_validate(given)


def test_an_error_shows_nothing_of_the_settings() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(mongo_uri="mongodb://user:secret@host", anchors="/anchors")
    assert "secret" not in str(raised.value)


def test_empty_settings_are_none_at_all() -> None:
    settings = Settings(anchors="", signing_keys=" , ", retired_keys="")
    assert AuditWiring(Connection(settings)).anchors is None


@pytest.mark.parametrize("vkey", ["x", "a+b+c", RETIRED + "A", RETIRED.replace("log", "lag")])
def test_a_retired_key_must_be_a_verifier_key(vkey: str) -> None:
    with pytest.raises(ValidationError, match="EVENTLOG_RETIRED_KEYS"):
        Settings.model_validate({"EVENTLOG_RETIRED_KEYS": f"{RETIRED},{vkey}"})


@pytest.mark.parametrize("name", ["EVENTLOG_ANCHOR_IDLE_SECONDS", "EVENTLOG_ANCHOR_RETENTION_DAYS"])
def test_times_are_positive(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: 0})


def test_an_app_has_the_store_the_signers_in_order_and_every_key_that_counts(tmp_path: Path) -> None:
    paths = [tmp_path / "new.pem", tmp_path / "old.pem"]
    assert all(map(create_key_file, paths))
    keys = ", ".join(map(str, paths))
    settings = Settings(anchors=str(tmp_path / "anchors"), signing_keys=keys, retired_keys=RETIRED)
    wired = AuditWiring(Connection(settings))
    public = [KeyFile(path).public_key for path in paths]
    assert isinstance(wired.anchors, DirectoryAnchors)
    assert [signer.public_key for signer in wired.signers] == public
    assert wired.trusted_keys == [*public, b"r" * 32]


@each("path", ["", "/log", "/log/eu-1", "/api/log", "/apis", "/api/v2", "/dashboards", "/~a/b.c_d"])
def test_a_base_path_that_nobody_can_mistake_is_taken(path: str) -> None:
    assert Settings.model_validate({"EVENTLOG_BASE_PATH": path}).base_path == path
    assert re.search(BASE_PATH, path)


@each(
    "path",
    [
        *(
            "/",
            "log",
            "/log/",
            "//log",
            "/log//eu",
            "/./log",
            "/..",
            "/log/../x",
            "/l%6Fg",
            "/l og",
            "/log?x",
            "/ü",
            "/log\n",
        ),
        *("/api", "/api/v1", "/api/v1/events", "/dashboard", "/dashboard/x"),
    ],
)
def test_a_base_path_with_two_readings_or_like_the_log_s_own_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="EVENTLOG_BASE_PATH"):
        Settings.model_validate({"EVENTLOG_BASE_PATH": path})
    assert path.endswith("\n") or not re.search(BASE_PATH, path)


def test_the_development_server_takes_a_policy_as_it_has_anchors_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a database that somebody else gives there are none, and the policy is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTLOG_WITNESS_POLICY", "policy.txt")
    Path(".eventlog").mkdir()
    found = open_anchors("mongodb://127.0.0.1:1", embedded=True).settings
    assert (found.witness_policy, found.anchors) == ("policy.txt", ".eventlog/anchors")
    with pytest.raises(ValidationError, match="EVENTLOG_WITNESS_POLICY needs EVENTLOG_ANCHORS"):
        open_anchors("mongodb://127.0.0.1:1", embedded=False)
    monkeypatch.setenv("EVENTLOG_ANCHORS", "elsewhere")
    monkeypatch.setenv("EVENTLOG_SIGNING_KEYS", ".eventlog/key.pem")
    assert open_anchors("mongodb://127.0.0.1:1", embedded=False).settings.witness_policy == "policy.txt"
