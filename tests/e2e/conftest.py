"""One build for all tests of the local API, whichever process runs them."""

from pathlib import Path

import pytest

from local.start_api.build import build
from tests.support.once import made_once


@pytest.fixture(scope="session")
def built_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "start-api", build) / "build" / "template.yaml"
