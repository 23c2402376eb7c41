"""A database of SQLite in a folder that is not there is told with the address to write, and holds no lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobdeck.access.home_lock import lock_installation
from jobdeck.core.errors import InvalidInput


def test_a_database_in_no_folder_is_refused_and_the_home_stays_free(tmp_path: Path) -> None:
    missing = tmp_path / "gone" / "jobdeck.db"
    with pytest.raises(InvalidInput) as refused:
        lock_installation(tmp_path, missing)
    assert refused.value.message == f"The folder of the database {missing} is not there."
    assert "sqlite:////srv/jobdeck.db" in str(refused.value.hint)
    lock_installation(tmp_path, tmp_path / "jobdeck.db").release()
