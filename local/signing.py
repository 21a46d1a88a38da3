"""Where the development server keeps its signing key and its anchors, beside the embedded MongoDB."""

from dataclasses import dataclass
from pathlib import Path

from eventlog.anchors.signing import KeyFile, create_key_file
from eventlog.formats.note import VerifierKey, format_vkey
from eventlog.settings import Settings
from eventlog.store.errors import SigningError
from local.machine import LocalError

FOLDER = Path(".eventlog")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The settings with a key and a place for anchors, if there are any, and what the banner says of them."""

    settings: Settings
    description: str


def open_evidence(mongo_uri: str, *, embedded: bool) -> Evidence:
    """What the settings say; else, beside the embedded MongoDB, a key file made on first use and a directory.

    Anchors belong to one database, so with a MONGO_URI they are kept only where EVENTLOG_ANCHORS says.

    Raises: LocalError
    """
    settings = Settings(mongo_uri=mongo_uri)
    if settings.anchors:
        return Evidence(settings, f"in {settings.anchors}")
    if not embedded:
        return Evidence(settings, "none: set EVENTLOG_ANCHORS and EVENTLOG_SIGNING_KEYS to anchor this database")
    key, anchors = FOLDER / "key.pem", FOLDER / "anchors"
    try:
        create_key_file(key)
        public_key = KeyFile(key).public_key
    except (OSError, SigningError) as error:
        raise LocalError(f"The signing key can't be used: {error}.") from error
    vkey = format_vkey(VerifierKey(f"{settings.origin}/main", public_key))
    settings = Settings(mongo_uri=mongo_uri, anchors=str(anchors), signing_keys=str(key))
    return Evidence(
        settings, f"in {anchors.absolute()}, each minute; who keeps this key can check the log:\n           {vkey}"
    )
