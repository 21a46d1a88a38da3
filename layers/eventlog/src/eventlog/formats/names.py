"""What an event's names and ids look like, in a request (``fields.py``) and in evidence (``event_json.py``) alike."""

import re

CHAIN_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
ID_PATTERN = r"^[A-Za-z0-9._~:-]{1,128}$"
MAX_NAME = 256
"""Characters of a type or a source; they have one at least, and none of them is a control character."""
NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
_CHAIN = re.compile(CHAIN_PATTERN)


def is_chain_name(name: str) -> bool:
    """Return whether a chain can have this name.

    No slash is in it, and no ``~``: so the last slash of an origin line, and of what the genesis hash is of, is where
    the log's origin ends, whatever that has in it.
    """
    return _CHAIN.fullmatch(name) is not None
