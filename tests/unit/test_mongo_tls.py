"""TLS to MongoDB is demanded of every connection string that leaves this machine; no error shows any of it."""

import traceback

import pytest

from admin.command import CommandError
from admin.mongo import check_mongo
from eventlog.settings import ConfigurationError, Settings
from eventlog.store.mongo.tls import check_uri
from eventlog.wiring.connection import Connection
from tests.support.each import each

PLAIN = [
    "mongodb://u:s3cr3t@db.s3cr3t.example/",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?tls=false",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?ssl=false",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?TLS=FALSE",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?tls=maybe",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?tls=True",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?tls=true&tls=false",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?tls=%66alse",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?xtls=true",
    "mongodb://u:s3cr3t@db.s3cr3t.example/?appName=tls%3Dtrue",
    "mongodb://u:s3cr3t@10.0.0.1/",
    "mongodb://u:s3cr3t@[fd00::1]:27017/",
    "mongodb://u:s3cr3t@0.0.0.0/",
    "mongodb://u:s3cr3t@localhost,db.s3cr3t.example/",
    "mongodb://u:s3cr3t@127.0.0.1,10.0.0.1/?replicaSet=a",
    "mongodb://u:s3cr3t@localhost.s3cr3t.example/",
    "mongodb://127.0.0.1:s3cr3t@db.s3cr3t.example/",
    "mongodb+srv://u:s3cr3t@db.s3cr3t.example/?tls=false",
    "mongodb+srv://u:s3cr3t@db.s3cr3t.example/?retryWrites=true&ssl=false",
    "mongodb+srv://u:s3cr3t@localhost/?tls=false",
]
UNCHECKED = [
    f"mongodb{srv}://u:s3cr3t@db.s3cr3t.example/?tls=true&{option}"
    for srv in ("", "+srv")
    for option in (
        "tlsInsecure=true",
        "TLSINSECURE=true",
        "tlsAllowInvalidCertificates=true",
        "tlsallowinvalidhostnames=true",
        "tlsAllowInvalidCertificates=false&tlsAllowInvalidHostnames=true",
    )
]
FINE = [
    "mongodb://u:p@db.example.com/?tls=true",
    "mongodb://u:p@db.example.com/?replicaSet=a&SSL=true",
    "mongodb://u:p@a.example.com,b.example.com/?tls=true&tlsCAFile=/ca.pem&tlsInsecure=false",
    "mongodb+srv://u:p@cluster.example.net/?authSource=admin",
    "mongodb+srv://u:p@cluster.example.net/?tls=true",
    *("mongodb://localhost/", "mongodb://LOCALHOST:27017/", "mongodb://127.0.0.1/", "mongodb://127.9.9.9:1/?tls=false"),
    *("mongodb://[::1]:27017/", "mongodb://u:p@127.0.0.1:1,localhost:2/?replicaSet=a", "mongodb://%2Ftmp%2Fm.sock/"),
    "mongodb://127.0.0.1/?tls=true&tlsInsecure=true",
]
NOT_READABLE = ["s3cr3t", "https://s3cr3t", "mongodb://u:s3cr3t@pass@db/", "mongodb://h:99999/", "mongodb://", ""]


def told(error: BaseException) -> str:
    whole = "".join(traceback.format_exception(error))
    assert "s3cr3t" not in whole
    return str(error)


@each("uri", PLAIN)
def test_a_uri_without_tls_to_another_machine_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^MONGO_URI must ask for TLS .*EVENTLOG_ALLOW_PLAINTEXT") as raised:
        check_uri(uri)
    told(raised.value)


@each("uri", UNCHECKED)
def test_a_uri_that_trusts_whoever_answers_is_refused(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^X must not say tls") as raised:
        check_uri(uri, "X")
    told(raised.value)


@each("uri", [*FINE, *NOT_READABLE])
def test_others_pass(uri: str) -> None:
    check_uri(uri)


def test_a_connection_and_every_command_ask_first() -> None:
    for uri in (PLAIN[0], PLAIN[-1], UNCHECKED[0]):
        with pytest.raises(ConfigurationError, match=r"^MONGO_URI must") as raised:
            _ = Connection(Settings(mongo_uri=uri)).log
        told(raised.value)
        with pytest.raises(CommandError, match=r"^MONGO_ADMIN_URI must"):
            check_mongo(uri, "eventlog", "MONGO_ADMIN_URI")


def test_a_private_network_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTLOG_ALLOW_PLAINTEXT_MONGODB", "true")
    monkeypatch.setattr("admin.mongo.ANSWER_SECONDS", 0.01)
    uri = "mongodb://192.0.2.1:1/?serverSelectionTimeoutMS=1&connectTimeoutMS=1"  # an address that nobody has
    with pytest.raises(CommandError, match=r"^No MongoDB answers"):
        check_mongo(uri, "eventlog")
    connection = Connection(Settings(mongo_uri=uri))
    assert connection.log
    connection.close()
