"""Errors that a server or a router answers to a push, as the driver makes them of what comes over the wire."""

from collections.abc import Callable
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.helpers_shared import _check_command_response


class Router:
    """Stands before a server's ``command``: the next push gets an error, and reaches the server at once or later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._command = Database.command
        self.code: int | None = None
        self.how = ""
        self.pushes = 0
        self.held: Callable[[], Any] = lambda: None

        def command(database: Database[Any], *args: Any, **kwargs: Any) -> Any:
            return self._answer(database, *args, **kwargs)

        monkeypatch.setattr(Database, "command", command)

    def arm(self, code: int | None, how: str) -> None:
        self.code, self.how, self.pushes = code, how, 0

    def _answer(self, database: Database[Any], command: Any, *args: Any, **kwargs: Any) -> Any:
        def pass_on() -> Any:
            return self._command(database, command, *args, **kwargs)

        if "findAndModify" not in command:
            return pass_on()
        self.pushes += 1
        how, self.how = self.how, ""
        if not how:
            return pass_on()
        if how == "applied":
            pass_on()
        self.held = pass_on
        code = {} if self.code is None else {"code": self.code}
        return _check_command_response({"ok": 0.0, "errmsg": "made for a test", **code}, None)
