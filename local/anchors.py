"""The development server's keys and the directory of its anchors, beside the embedded MongoDB."""

from dataclasses import dataclass
from pathlib import Path

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.governance_note import KIND
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.settings import Settings
from eventlog.store.errors import SigningError
from local.machine import LocalError

FOLDER = Path(".eventlog")


@dataclass(frozen=True, slots=True)
class LocalAnchors:
    """The settings, with a signing key and a place for anchors if there are any; ``description`` is for the banner."""

    settings: Settings
    description: str


def open_anchors(mongo_uri: str, *, embedded: bool) -> LocalAnchors:
    """Return what the settings say; beside the embedded MongoDB, else a key file made on first use and a directory.

    Raises:
        LocalError: the key file can't be made or read.
    """
    # A policy of witnesses needs anchors, which are there only once this function has said where: so first without it.
    if (settings := Settings(mongo_uri=mongo_uri, witness_policy="")).anchors:
        return LocalAnchors(Settings(mongo_uri=mongo_uri), f"in {settings.anchors}")
    # Anchors belong to one database. Those in FOLDER belong to the embedded one: held against the database of a
    # MONGO_URI, they would make an honest log look tampered with.
    if not embedded:
        settings = Settings(mongo_uri=mongo_uri)
        return LocalAnchors(settings, "none: set EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS to anchor this database")
    key, governance, anchors = FOLDER / "key.pem", FOLDER / "governance.pem", FOLDER / "anchors"
    try:
        create_key_file(key)
        create_key_file(governance)
        public_key, orders = KeyFile(key).public_key, KeyFile(governance).public_key
    except (OSError, SigningError) as error:
        raise LocalError(f"The signing key can't be used: {error}.") from error
    vkey = format_vkey(VerifierKey(f"{settings.origin}/main", public_key))
    settings = Settings(
        mongo_uri=mongo_uri,
        anchors=str(anchors),
        signing_keys=str(key),
        governance_keys=settings.governance_keys or format_vkey(VerifierKey(settings.origin, orders, KIND)),
        governance_signing_key=settings.governance_signing_key or str(governance),
    )
    return LocalAnchors(
        settings, f"in {anchors.absolute()}, each minute; who keeps this key can check the log:\n           {vkey}"
    )
