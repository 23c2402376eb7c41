"""Leases that were not renewed in time: the worker lets go of its jobs, however exactly its timer rings."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvloop

from jobdeck.engine.worker.stop_control import StopRequest
from jobdeck.engine.worker.worker import JobRun, WorkerParts, WorkerService
from jobdeck.store.running.workers import StoredWorker

MANY = 40


def a_worker() -> WorkerService:
    """One that has a job, and nothing else of what a worker needs."""
    parts = SimpleNamespace(environments=None, registry=())
    service = WorkerService(cast("StoredWorker", SimpleNamespace(name="w", id="w")), cast("WorkerParts", parts))
    service._job_runs[1] = JobRun(1, cast("asyncio.Task[None]", None))
    return service


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_jobs_are_let_go_though_the_timer_rings_a_little_early(loop: Any) -> None:
    """The timers of uvloop count in whole milliseconds, so that half of them ring before their time."""

    async def asked_of_each() -> list[StopRequest]:
        services = [a_worker() for _ in range(MANY)]
        now = asyncio.get_running_loop().time()
        for number, service in enumerate(services):
            service._until = now + 0.01 + number * 0.00113
            service._hear("w", "active", service._until)
        await asyncio.sleep(0.2)
        return [service._job_runs[1].asked for service in services]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(asked_of_each()) == [StopRequest.HAND_BACK] * MANY


def test_who_has_renewed_meanwhile_keeps_its_jobs() -> None:
    """The heartbeat's thread says so at once; the worker's loop, which was blocked, hears of it after its timer."""

    async def asked() -> StopRequest:
        service = a_worker()
        now = asyncio.get_running_loop().time()
        service._hear("w", "active", now + 0.01)
        service._until = now + 60
        await asyncio.sleep(0.1)
        return service._job_runs[1].asked

    assert asyncio.run(asked()) is StopRequest.NOTHING
