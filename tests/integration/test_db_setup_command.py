"""`make db-setup`: where it takes secrets from, what it prints, its exit codes; no secret is shown."""

import json
from pathlib import Path

import pytest

from admin import db_setup
from eventlog.store.mongo.roles import ROLES
from local.mongod.secured import SecuredMongo
from tests.support.secured import PASSWORDS, SecuredLog


@pytest.fixture
def log(secured: SecuredMongo) -> SecuredLog:
    """A database that was not set up."""
    return SecuredLog(secured)


class Command:
    """``make db-setup`` with an environment of its own; what it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.patch = monkeypatch
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        code = db_setup.main(arguments)
        out, err = self._capsys.readouterr()
        return code, out + err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    return Command(monkeypatch, capsys, tmp_path)


@pytest.fixture
def configured(run: Command, log: SecuredLog, tmp_path: Path) -> Command:
    (tmp_path / "uri").write_text(f"{log.mongo.uri}\n")
    run.patch.setenv("MONGO_ADMIN_URI_FILE", str(tmp_path / "uri"))
    run.patch.setenv("MONGO_DATABASE", log.database)
    for role in ROLES:
        name = f"{role.name}_password".upper().replace("-", "_")
        if role.name == "eventlog-audit":
            (tmp_path / "audit").write_text(PASSWORDS[role.name])
            run.patch.setenv(f"{name}_FILE", str(tmp_path / "audit"))
        else:
            run.patch.setenv(name, PASSWORDS[role.name])
    return run


def test_the_command_sets_up_and_its_exit_code_tells_whether_all_is_as_declared(
    configured: Command, log: SecuredLog
) -> None:
    assert configured("--check")[0] == 3
    code, shown = configured()
    assert (code, shown.count("created")) == (0, 9 + 11 + 8)
    code, shown = configured("--check")
    assert (code, shown.count("as declared")) == (0, 9 + 11 + 8)
    for function in ("ingest", "query", "audit"):
        with log.store(function) as store:
            store.ping()


def test_no_secret_is_shown(configured: Command, log: SecuredLog) -> None:
    shown = "".join(configured(*arguments)[1] for arguments in (["--check"], [], [], ["--atlas"]))
    secrets = [log.mongo._password, log.mongo.uri, log.mongo.uri.split("@")[0], *PASSWORDS.values()]
    assert [secret for secret in secrets if secret in shown] == []


def test_the_roles_for_atlas_say_the_same(configured: Command, log: SecuredLog) -> None:
    code, shown = configured("--atlas")
    assert code == 0
    assert "role  " not in shown
    assert f"--privilege FIND@{log.database}.events,INSERT@{log.database}.events,FIND@" in shown
    assert f",LIST_COLLECTIONS@{log.database},CHANGE_STREAM@{log.database},FIND@{log.database}\n" in shown
    found = [json.loads(line) for line in shown.splitlines() if line.startswith("  {")]
    rights = {
        role["roleName"]: {(a["action"].lower(), r["collection"]) for a in role["actions"] for r in a["resources"]}
        for role in found
    }
    named = {"changeStream": "change_stream", "listIndexes": "list_indexes", "listCollections": "list_collections"}
    expected = {role.name: {(named.get(a, a), c) for c, acts in role.actions.items() for a in acts} for role in ROLES}
    assert rights == expected


@pytest.mark.parametrize(
    ("name", "value", "code", "text"),
    [
        ("MONGO_ADMIN_URI", "", 1, "Set MONGO_ADMIN_URI, or MONGO_ADMIN_URI_FILE"),
        ("MONGO_ADMIN_URI", "nonsense:secret", 1, "MONGO_ADMIN_URI can't be used"),
        ("MONGO_ADMIN_URI_FILE", "nowhere", 1, "nowhere, from MONGO_ADMIN_URI_FILE, can't be read"),
        ("EVENTLOG_INGEST_PASSWORD", "short secret", 2, "EVENTLOG_INGEST_PASSWORD (environment or .env)"),
    ],
)
def test_what_is_missing_or_wrong_is_named(run: Command, name: str, value: str, code: int, text: str) -> None:
    run.patch.setenv(name, value)
    found, shown = run()
    assert (found, "secret" in shown) == (code, False)
    assert text in shown


def test_a_wrong_password_is_told_in_one_sentence(run: Command, secured: SecuredMongo) -> None:
    run.patch.setenv("MONGO_ADMIN_URI", secured.uri_of("administrator", "a guess", "admin"))
    code, shown = run()
    assert (code, shown) == (
        1,
        f"MongoDB at {secured.address} refuses the user or password in MONGO_ADMIN_URI.\n",
    )
