"""One build for all tests of the local API, whichever process runs them."""

from pathlib import Path

import pytest

from tests.e2e.start_api import built_once


@pytest.fixture(scope="session")
def built_template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    shared = tmp_path_factory.getbasetemp()
    return built_once(shared if worker_id == "master" else shared.parent)
