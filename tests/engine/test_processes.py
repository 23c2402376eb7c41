"""Jobs in processes of their own: killed after their grace, known to be dead before anything is said of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.core.jobtype import JobType
from jobdeck.core.life.operations import Operation
from jobdeck.engine.worker import stop_control
from jobdeck.engine.worker.stop_control import StopRequest
from tests.engine.harness import Engine, running
from tests.engine.stubborn import Deaf, Mortal, _lives


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    async with running(url, home, types=[Deaf, Mortal]) as engine:
        yield engine


async def begun(engine: Engine, folder: Path) -> list[str]:
    async def there() -> bool:
        return (folder / "pids").exists()

    await engine.true(there)
    return (folder / "pids").read_text().split()


async def test_cancel_kills_after_the_grace(engine: Engine, tmp_path: Path) -> None:
    job = await engine.submit("deaf", folder=str(tmp_path))
    pids = await begun(engine, tmp_path)
    asked = time.monotonic()
    await engine.done(Operation.CANCEL, job)
    assert await engine.state(job) == "canceling"
    await engine.until(job, "canceled")
    assert 0.3 <= time.monotonic() - asked < JobType.grace, "its own grace, not the usual one"
    assert not [pid for pid in pids if _lives(pid)]
    assert (tmp_path / "alive").read_text() == "", "the leftovers were removed under a process that lived"
    killed = "was asked to stop, because the job is to be canceled, and had not stopped after 0.3 s: it was killed."
    assert await engine.log(job) == [f"Step 'work' {killed}"]


async def test_a_pause_kills_after_its_grace(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The grace of a pause is one for all types, and so long that only the two hundredth part is waited for here."""
    monkeypatch.setitem(stop_control._GRACES, StopRequest.PAUSE, stop_control._GRACES[StopRequest.PAUSE] / 200)
    job = await engine.submit("deaf", folder=str(tmp_path))
    pids = await begun(engine, tmp_path)
    asked = time.monotonic()
    await engine.done(Operation.PAUSE, job)
    assert await engine.state(job) == "pausing"
    await engine.until(job, "paused")
    assert not [pid for pid in pids if _lives(pid)]
    assert time.monotonic() - asked >= 0.3
    killed = "was asked to stop, because the job is to pause, and had not stopped after 0.3 s: it was killed."
    assert f"Step 'work' {killed}" in await engine.log(job)
    assert await engine.leased() == set()
    (tmp_path / "go").touch()
    await engine.done(Operation.RESUME, job)
    row = await engine.until(job, "succeeded")
    assert (row["epoch"], row["attempt"], row["losses"]) == (2, 1, 0)


async def test_restart_of_one_that_does_not_listen(engine: Engine, tmp_path: Path) -> None:
    job = await engine.submit("deaf", folder=str(tmp_path))
    pids = await begun(engine, tmp_path)
    (tmp_path / "pids").rename(tmp_path / "first")
    (tmp_path / "pids").write_text(" ".join(pids))
    await engine.done(Operation.RESTART, job)

    async def again() -> bool:
        return (tmp_path / "pids").read_text().split() != pids

    await engine.true(again)
    row = await engine.job(job)
    assert (row["state"], row["attempt"]) == ("running", 2)
    assert not [pid for pid in pids if _lives(pid)]
    await engine.done(Operation.CANCEL, job)
    await engine.until(job, "canceled")


async def test_a_process_that_dies_is_replaced(engine: Engine, tmp_path: Path) -> None:
    job = await engine.submit("mortal", folder=str(tmp_path), units=4, die_at=2)
    row = await engine.until(job, "succeeded")
    assert (row["epoch"], row["losses"]) == (1, 0)
    assert (tmp_path / "units").read_text().split() == ["0", "1", "2", "2", "3"]
    assert any("process was lost" in line for line in await engine.log(job))


async def test_a_worker_that_leaves_takes_its_processes_along(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await engine.submit("deaf", folder=str(tmp_path))
    pids = await begun(engine, tmp_path)
    monkeypatch.setitem(stop_control._GRACES, StopRequest.HAND_BACK, 0.3)
    await engine.fire(engine.hands[0])
    assert not [pid for pid in pids if _lives(pid)]
    assert await engine.state(job) == "pending"
