"""Until when the work under a worker's leases may live."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from tests.engine.harness import Engine, reached, running, script


async def test_work_is_to_be_dead_a_second_before_its_lease_is_over(
    url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is given away by the database's clock, the work is killed by its own; neither asks the other."""
    async with running(url, home, lease_seconds=3.0) as engine:
        plot = script()
        gate = plot.hold("s0/0/0")
        job = await engine.submit(key=plot.key)
        await reached(gate)
        deadlines: list[float] = []
        monkeypatch.setattr(engine.hands[0].executor, "extend", deadlines.append)
        for beat in range(1, 4):
            await engine.true(partial(_beaten, deadlines, beat))
            deadline = deadlines[-1]
            assert deadline < await _runs_out(engine, job) - 0.95
        gate.opened.set()
        await engine.until(job, "succeeded")


async def _beaten(deadlines: list[float], times: int) -> bool:
    return len(deadlines) >= times


async def _runs_out(engine: Engine, job: int) -> float:
    """The end of the job's lease by the clock of this process, which runs on while the database is asked: at the
    latest."""
    lease = await engine.lease(job)
    assert lease is not None
    left: int = lease["expires_at"] - await engine.database.now()
    return time.monotonic() + left / 1_000_000
