"""The embedded MongoDB with access control, as production has it."""

import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from local.mongod.embedded import EmbeddedMongo

ADMINISTRATOR = "administrator"


class SecuredMongo(EmbeddedMongo):
    """A mongod that lets nobody do anything unasked; ``uri`` is its administrator's.

    The first start makes the administrator while mongod is still open, on 127.0.0.1 and for an instant, and the key
    file that a replica set with access control needs.
    """

    def __init__(self, data_dir: Path, password: str, **options: Any) -> None:
        super().__init__(data_dir, **options)
        self._password = password
        self._key_path = self.data_dir / "key"

    @property
    def uri(self) -> str:
        return self.uri_of(ADMINISTRATOR, self._password, "admin") if self._is_secured() else super().uri

    def uri_of(self, user: str, password: str, database: str) -> str:
        """The URI of this very node for a user of ``database``."""
        return f"mongodb://{quote_plus(user)}:{quote_plus(password)}@{self.address}/{database}?directConnection=true"

    def start(self) -> None:
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
