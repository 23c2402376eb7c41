"""The database's clock is set, or a machine slept: what waits for its time comes once, and no living worker is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobdeck.core.life.operations import Operation
from jobdeck.engine.duties.expire_leases import ExpireLeases
from jobdeck.engine.duties.resume_paused import resume_paused
from jobdeck.store.running.workers import StoredWorker, beat, join
from jobdeck.store.sql.database import Connection, Database
from tests.engine.harness import Ahead, Engine, at_gate, reached, running, script
from tests.engine.scripted import Gate, Told
from tests.engine.stubborn import Deaf, Patient, _lives
from tests.engine.test_processes import begun
from tests.engine.test_workers import expire

HOUR = 3600.0
LEASE = 2.0


@dataclass
class Stepped:
    """An engine, its clock, and what waits for its time there."""

    engine: Engine
    clock: Ahead
    jobs: dict[str, int]
    gate: Gate
    """At which the job that was not to start before its time is held."""

    async def step(self, hours: float) -> None:
        """Set the clock, so far from what it was at first; all have seen what it says when this returns."""
        self.clock.seconds = hours * HOUR
        engine = self.engine
        await resume_paused(engine.database, engine.leadership, engine.control)
        await engine.until(await engine.submit(), "succeeded")
        await engine.settled()

    async def times(self, kind: str) -> dict[str, int]:
        """How often that happened to each."""
        return {name: (await self.engine.kinds(job)).count(kind) for name, job in self.jobs.items()}


@pytest.fixture
async def stepped(url: str, home: Path) -> AsyncIterator[Stepped]:
    """Three jobs that wait for about ten minutes: to start, to be tried again, to be resumed."""
    clock = Ahead()
    async with running(url, home, ahead=clock) as engine:
        soon = await engine.database.now() + 600_000_000
        later, again, paused = script(), script(), script()
        gate = later.hold("s0/0/0")
        again.fail("s0/0/0", Told("once"))
        jobs = {
            "later": await engine.submit_with("scripted", {"key": later.key}, not_before=soon),
            "again": await engine.submit(key=again.key, retries=1, backoff=600.0),
            "paused": await engine.submit_with("scripted", {"key": paused.key}, not_before=soon),
        }
        await engine.done(Operation.PAUSE, jobs["paused"], resume_at=soon)
        await engine.until_event("retrying")
        yield Stepped(engine, clock, jobs, gate)


WAITING = {"later": 0, "again": 1, "paused": 0}
ONCE = {"later": 1, "again": 2, "paused": 1}


async def test_what_waits_for_its_time_comes_once(stepped: Stepped) -> None:
    engine = stepped.engine
    for hours in (-1, 0, -1, 0):
        await stepped.step(hours)
        assert await stepped.times("started") == WAITING
        assert await stepped.times("resumed") == {"later": 0, "again": 0, "paused": 0}
    await stepped.step(1)
    await reached(stepped.gate)
    for hours in (-1, 1, 0, 1):
        await stepped.step(hours)
    stepped.gate.opened.set()
    for job in stepped.jobs.values():
        row = await engine.until(job, "succeeded")
        assert min(row["queued_us"], row["running_us"], row["paused_us"]) >= 0
        assert row["losses"] == 0
    assert await stepped.times("started") == ONCE
    assert await stepped.times("resumed") == {"later": 0, "again": 0, "paused": 1}
    assert await stepped.times("retrying") == {"later": 0, "again": 1, "paused": 0}


async def test_what_came_before_the_clock_went_back_does_not_wait_again(stepped: Stepped) -> None:
    """Its time had come; that it has not, by a clock that was set back, is no reason to hold up what began."""
    engine, job = stepped.engine, stepped.jobs["later"]
    await stepped.step(1)
    await reached(stepped.gate)
    await stepped.step(-1)
    await expire(engine, job)
    await engine.until_event("worker_lost")
    stepped.gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["epoch"] == 2
    assert min(row["queued_us"], row["running_us"]) >= 0


@pytest.fixture
async def leaping(url: str, home: Path) -> AsyncIterator[tuple[Engine, Ahead]]:
    """An engine with short leases and a clock that can be set; its worker leaves one type to others."""
    clock = Ahead()
    async with running(url, home, ahead=clock, lease_seconds=LEASE, types=[Deaf, Patient], workers=0) as engine:
        await engine.hire(types=["scripted", "deaf", "patient"])
        yield engine, clock


async def renewed(engine: Engine, job: int) -> None:
    """The job's lease lives by the database's clock."""

    async def lives() -> bool:
        lease = await engine.lease(job)
        assert lease is not None
        assert lease["epoch"] == 1
        return bool(lease["expires_at"] > await engine.database.now())

    await engine.true(lives)


async def held_by_a_ghost(engine: Engine) -> int:
    """A job on a worker that is dead."""
    await join(engine.database, StoredWorker("ghost", "ghost", "gone", 1, 1, 1, ("finisher",), "0"))
    job = await engine.submit("finisher")

    async def assigned() -> object:
        await engine.database.transact(lambda tx: beat(tx, "ghost"))
        return await engine.lease(job)

    await engine.true(assigned)
    return job


async def test_a_clock_that_leaps_takes_no_job_from_a_worker_that_lives(
    leaping: tuple[Engine, Ahead], tmp_path: Path
) -> None:
    """Three times in a row would fail a job; and the jobs of workers that are dead are found as before."""
    engine, clock = leaping
    plot = script()
    gate = plot.hold("s0/0/0")
    light = await engine.submit(key=plot.key)
    heavy = await engine.submit("patient", folder=str(tmp_path))
    await reached(gate)
    await begun(engine, tmp_path)
    ghost = await held_by_a_ghost(engine)
    for _ in range(3):
        clock.seconds += HOUR
        await engine.expire_leases()
        for job in (light, heavy):
            await renewed(engine, job)
    await engine.until_event("worker_lost", lambda e: e.job_id == ghost)
    gate.opened.set()
    (tmp_path / "go").touch()
    for job in (light, heavy):
        row = await engine.until(job, "succeeded")
        assert (row["epoch"], row["losses"]) == (1, 0)


async def test_a_leap_between_the_look_at_the_clock_and_that_at_the_leases(engine: Engine) -> None:
    job, gate, _ = await at_gate(engine, "s0/0/0")
    database = Database(engine.database.url, clock=_LeapsOnceRead())
    try:
        await ExpireLeases(database, engine.leadership, LEASE)()
    finally:
        await database.close()
    assert await engine.leased() == {job}
    gate.opened.set()
    row = await engine.until(job, "succeeded")
    assert row["losses"] == 0


class _LeapsOnceRead(Ahead):
    """A clock that is set as soon as somebody has looked at it."""

    async def now(self, connection: Connection) -> int:
        now = await super().now(connection)
        self.seconds = HOUR
        return now


@pytest.mark.parametrize(("operation", "asked", "end"), [
    (Operation.PAUSE, "pausing", "paused"), (Operation.CANCEL, "canceling", "canceled"),
])  # fmt: skip
async def test_paused_and_canceled_mean_dead_though_the_clock_leapt(
    leaping: tuple[Engine, Ahead], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    operation: Operation, asked: str, end: str,
) -> None:  # fmt: skip
    """The task heeds nothing; its lease seems to have run out long before its grace is over."""
    engine, clock = leaping
    monkeypatch.setattr(Deaf, "grace", 60.0)
    job = await engine.submit("deaf", folder=str(tmp_path))
    pids = await begun(engine, tmp_path)
    await engine.done(operation, job)
    clock.seconds += HOUR
    await engine.expire_leases()
    assert [pid for pid in pids if _lives(pid)] == pids
    assert await engine.state(job) == asked
    await renewed(engine, job)
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    await engine.until(job, end)
    assert not [pid for pid in pids if _lives(pid)]
