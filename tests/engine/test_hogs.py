"""Code that hogs the worker: its event loop, or the interpreter. Leases live as long as any thread gets its turn."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import BaseModel

from jobdeck import JobType
from jobdeck.core.jobtype import step
from jobdeck.core.tasks import Run
from jobdeck.engine.scheduling import scheduler
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.store.running import leases
from jobdeck.store.scheduling.leadership import Leader, try_lead
from jobdeck.store.sql.database import Database
from tests.engine.harness import Engine, reached, running, script
from tests.engine.scripted import LONG, SCRIPTS
from tests.engine.stubborn import Patient
from tests.engine.test_processes import begun

LEASE = 2.0


class Work(BaseModel):
    """What keeps it busy: seconds, or a pipe that says nothing yet."""

    key: str = ""
    seconds: float = 0.0
    pipe: int = 0


class Busy(JobType):
    """Computes, in Python, in a thread of the worker."""

    name = "busy"
    isolation = "thread"
    Params = Work

    @step
    def work(self, run: Run) -> int:
        number, end = 0, time.monotonic() + self.params.seconds
        while time.monotonic() < end:
            number += 1
        return run.epoch


class Starver(JobType):
    """Keeps the interpreter to itself in one call, until the other end of the pipe is closed; the first time only."""

    name = "starver"
    isolation = "thread"
    Params = Work

    @step
    def work(self, run: Run) -> int:
        SCRIPTS[self.params.key].reach("hungry", run)
        if run.epoch == 1:
            ctypes.PyDLL(None).read(self.params.pipe, ctypes.create_string_buffer(1), 1)
        return run.epoch


@asynccontextmanager
async def between_writes(engine: Engine) -> AsyncIterator[None]:
    """Nothing that this process began to write is open: on SQLite it would keep all others from writing."""
    async with engine.database._one_writer or asyncio.Lock():
        yield


async def kept(engine: Engine, job: int) -> None:
    """The job succeeds under the lease that it began with."""
    row = await engine.until(job, "succeeded")
    assert (row["losses"], row["epoch"]) == (0, 1)
    assert "handed_back" not in await engine.kinds(job)


def test_a_blocked_loop_keeps_its_leases(url: str, home: Path, tmp_path: Path) -> None:
    """On the loop that servers and workers have, where a timer that is due comes before what was said meanwhile."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_block(url, home, tmp_path))


async def _block(url: str, home: Path, folder: Path) -> None:
    async with running(url, home, lease_seconds=LEASE, types=[Patient]) as engine:
        plot = script()
        gate = plot.hold("s0/0/1")
        light = await engine.submit(key=plot.key, units=3)
        heavy = await engine.submit("patient", folder=str(folder))
        await reached(gate)
        await begun(engine, folder)
        await engine.settled()
        async with between_writes(engine):
            time.sleep(2 * LEASE)  # noqa: ASYNC251  (this is the hog)
        (folder / "go").touch()
        await engine.settled()
        gate.opened.set()
        for job in (light, heavy):
            await kept(engine, job)
        assert plot.did == ["s0/0/0", "s0/0/1", "s0/0/2"]


async def test_jobs_that_compute_in_the_worker_keep_their_leases(url: str, home: Path) -> None:
    async with running(url, home, lease_seconds=LEASE, types=[Busy]) as engine:
        for job in [await engine.submit("busy", seconds=2 * LEASE) for _ in range(2)]:
            await kept(engine, job)


async def test_a_call_that_starves_the_whole_worker_costs_its_lease(url: str, home: Path) -> None:
    """No thread of the worker gets its turn: the job is given away meanwhile, and what the call led to is lost."""
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "tests.engine.other_leader", url]
    async with running(url, home, lease_seconds=LEASE, types=[Starver]) as engine:
        plot = script()
        gate = plot.hold("hungry")
        job = await engine.submit("starver", key=plot.key, pipe=reading)
        await reached(gate)
        other = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, pass_fds=[writing])
        os.close(writing)
        assert other.stdout is not None
        assert await other.stdout.readline() == b"ready\n"
        gate.opened.set()
        row = await engine.until(job, "succeeded")
        assert await other.wait() == 0
        assert (row["epoch"], row["result"]) == (2, "2")
        assert plot.did == ["hungry", "hungry"]
        kinds = await engine.kinds(job)
        assert [kinds.count(kind) for kind in ("started", "worker_lost", "step.succeeded", "succeeded")] == [2, 1, 1, 1]
        assert await engine.leased() == set()
    os.close(reading)


async def test_a_leader_that_was_blocked_assigns_nothing_under_its_old_epoch(
    url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "LEAD_SECONDS", 3.0)
    monkeypatch.setattr(scheduler, "RENEW_SECONDS", 0.5)
    async with running(url, home, lease_seconds=60.0) as engine:
        before = engine.leadership.current
        assert before is not None
        used: list[Leader] = []
        monkeypatch.setattr(leases, "assign", partial(_watched, leases.assign, used))
        await engine.settled()
        taken: list[Any] = []
        rival = threading.Thread(target=lambda: taken.extend(asyncio.run(_take_the_lead(engine))))
        async with between_writes(engine):
            rival.start()
            rival.join(LONG)  # this is the hog
        assert engine.leadership.current is None
        between, job = taken
        await engine.until(job, "succeeded")
        assert between.epoch == before.epoch + 1
        assert used == [Leader(before.holder, before.epoch + 2)]


async def _watched(assign: Any, used: list[Leader], database: Database, by: Leader, *rest: Any) -> Any:
    assigned = await assign(database, by, *rest)  # it raises if another one leads: a turn may have been under way
    if assigned:
        used.append(by)
    return assigned


async def _take_the_lead(engine: Engine) -> tuple[Leader, int]:
    """As another server does that stood by; somebody submits a job to it."""
    database = engine.database.sibling()
    try:
        while (led := await try_lead(database, "rival", 1.0)) is None:  # noqa: ASYNC110  (its lease runs out silently)
            await asyncio.sleep(0.05)
        submitter = Submitter(database, engine.registry, engine.environment)
        (job,) = await submitter.submit([engine.submission("scripted", {})], actor="me", principal_id=engine.principal)
        return led, job
    finally:
        await database.close()
