"""The embedded MongoDB with access control, as production has it."""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from local.mongod.embedded import EmbeddedMongo

ADMINISTRATOR = "administrator"


class SecuredMongo(EmbeddedMongo):
    """A mongod with access control; ``uri`` is its administrator's.

    The first start runs without access control for a moment, on 127.0.0.1, to make the administrator. Then it makes the
    key file that a replica set with access control needs, and starts again.
    """

    def __init__(self, data_dir: Path, password: str, **options: Any) -> None:
        super().__init__(data_dir, **options)
        self._password = password
        self._key_path = self.data_dir / "key"

    @property
    def uri(self) -> str:
        """The administrator's URI; before there is one, that of the open mongod."""
        return self.uri_of(ADMINISTRATOR, self._password, "admin") if self._is_secured() else super().uri

    def uri_of(self, user: str, password: str, database: str) -> str:
        """Return the URI of this very node for a user of ``database``."""
        return f"mongodb://{quote_plus(user)}:{quote_plus(password)}@{self.address}/{database}?directConnection=true"

    def start(self) -> None:
        """Start mongod with access control; make its administrator at the first start."""
        if not self._is_secured():
            super().start()
            with self.client() as client:
                client.admin.command("createUser", ADMINISTRATOR, pwd=self._password, roles=["root"])
            self.stop()
            self._key_path.touch(mode=0o600)
            self._key_path.write_text(secrets.token_hex(32))
        super().start()

    def _is_secured(self) -> bool:
        return self._key_path.exists()

    def _arguments(self) -> list[str]:
        secured = ["--auth", "--keyFile", str(self._key_path)] if self._is_secured() else []
        return [*super()._arguments(), *secured]
