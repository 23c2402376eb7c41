"""Job types of other people, for all processes that a test starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.other_types import published


@pytest.fixture
def other_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers and workers know the types of `other_types.py`."""
    monkeypatch.setenv("PYTHONPATH", published(tmp_path / "others"))
