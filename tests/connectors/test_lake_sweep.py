"""What jobs that are no more left behind goes, once it is old; everything that a table or a live job needs stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jobdeck.connectors.lake.sweep import sweep
from jobdeck.core.environment import Environment
from tests.connectors.harness import Job, Killed, Script, files_below, rows
from tests.connectors.test_import_crashes import Small, expected, prepare, small_blocks
from tests.connectors.test_import_undo import Killing

__all__ = ["small_blocks"]
HOUR = 3600.0


def later(seconds: float) -> int:
    return time.time_ns() // 1000 + int(seconds * 1_000_000)


def broken_off(env: Environment, data: Path, mode: str) -> Job:
    job = prepare(env, data, "csv", mode)
    with pytest.raises(Killed):
        job.run(Killing("begin publish", Script()))
    return job


@pytest.mark.parametrize("mode", ["new", "append"])
def test_a_deleted_job_leaves_nothing(env: Environment, data: Path, storage: Path, mode: str) -> None:
    broken_off(env, data, mode)
    before = files_below(storage)
    assert sweep(env, {(1, 1)}, HOUR, later(2 * HOUR)) == []
    assert sweep(env, set(), HOUR, later(0)) == []
    assert files_below(storage) == before
    removed = sweep(env, set(), HOUR, later(2 * HOUR))
    assert {f"projects/default/{name}" for name in removed} == set(before) - set(files_below(storage))
    assert not [name for name in files_below(storage) if "/1-1/" in name]
    assert sweep(env, set(), HOUR, later(2 * HOUR)) == []
    if mode == "new":
        assert not (storage / "projects/default/lake").exists() or not files_below(storage / "projects/default/lake")
    else:
        assert len(rows(env)) == 3


@pytest.mark.parametrize("mode", ["new", "append", "replace", "upsert"])
def test_what_a_version_refers_to_stays(env: Environment, data: Path, storage: Path, mode: str) -> None:
    prepare(env, data, "csv", mode).run()
    last = Job(env, {"files": [str(data / "in.csv")], "into": "lake/b/t", "mode": "replace"}, id=2, job_type=Small)
    last.run()
    before = files_below(storage)
    assert sweep(env, set(), HOUR, later(2 * HOUR)) == []
    assert files_below(storage) == before
    assert rows(env, version=0 if mode == "new" else 1) == expected("csv", mode)


def test_a_live_job_goes_on_after_a_sweep(env: Environment, data: Path) -> None:
    job = broken_off(env, data, "new")
    gone = Job(env, job.params, id=2, job_type=Small)
    with pytest.raises(Killed):
        gone.run(Killing("begin publish", Script()))
    removed = sweep(env, {(1, 1)}, HOUR, later(2 * HOUR))
    assert removed
    assert all("/2-1/" in name for name in removed)
    job.run()
    assert rows(env) == expected("csv", "new")


def test_a_dropped_table_is_swept(env: Environment, data: Path, storage: Path) -> None:
    """A drop that died after its rename."""
    prepare(env, data, "csv", "new").run()
    top = storage / "projects/default/lake/b"
    (top / "t").rename(top / "~dropped-0123")
    assert sweep(env, set(), HOUR, later(2 * HOUR))
    assert not top.exists() or files_below(top) == []
