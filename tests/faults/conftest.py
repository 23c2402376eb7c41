"""Job types of other people, for all processes that a test starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.other_types import published

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here start up to eight processes each, and wait for leases to run out: a busy machine takes minutes."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture
def other_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers and workers know the types of `other_types.py`."""
    monkeypatch.setenv("PYTHONPATH", published(tmp_path / "others"))
