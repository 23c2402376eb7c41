from __future__ import annotations

from pathlib import Path

import pytest

from jobdeck.core.environment import Environment
from tests.connectors.harness import environment, on


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Power cuts are not tried here, and thousands of small files would each wait for the disk."""
    monkeypatch.setattr("jobdeck.storage.disk.os.fsync", lambda _handle: None)


@pytest.fixture
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    """A project in an empty storage, and a folder `data` that jobs may read; see `harness.on_s3_too`."""
    if getattr(request, "param", "folder") == "s3":
        return on(request.getfixturevalue("s3_bucket"), tmp_path)
    return environment(tmp_path)


@pytest.fixture
def data(tmp_path: Path, env: Environment) -> Path:
    return tmp_path / "data"


@pytest.fixture
def storage(tmp_path: Path, env: Environment) -> Path:
    return tmp_path / "storage"
