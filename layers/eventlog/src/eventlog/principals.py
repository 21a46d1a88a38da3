"""Whom a limit for each caller counts a principal as."""

import re

_SESSION = re.compile(r"(arn:aws[a-z-]*:sts::\d{12}:(?:assumed-role/[^/]+|federated-user))/.+", re.DOTALL)
"""A role's session, or a federated user: whoever asks STS for one chooses the last part freely."""


def counted_as(principal: str) -> str:
    """Return whom limits count a principal as: itself, but all sessions of an IAM role as that role.

    A caller who may assume a role can name a new session for each request, and would have a new limit each time.
    """
    session = _SESSION.fullmatch(principal)
    return session[1] if session else principal
