"""A worker that was killed, or stopped beyond its lease, leaves nothing that still works."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobdeck.executors.testing import until
from tests.executors.processes import alive, below, written

LEASE = 2.0
SAFETY = 1.0
"""The seconds between the end of the work and the end of its lease (jobdeck.engine.worker.renewal)."""


class Worker:
    """A real worker process, with everything it started known by number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        self.everything: set[int] = set()

    async def start(self, deadline: float, *methods: str, family: int) -> subprocess.Popen[str]:
        process = self._spawn([str(self.folder), str(deadline), *methods])
        assert process.stdout is not None
        assert (await asyncio.to_thread(process.stdout.readline)).startswith("ready")
        await until(lambda: len(written(self.folder)) == family, "the tasks and what they start")
        self.everything = below(process.pid) | written(self.folder)
        return process

    def _spawn(self, arguments: list[str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.executors.worker", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self.process

    def end(self) -> None:
        for pid in self.everything:
            if pid in alive({pid}):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path)
    yield worker
    worker.end()


@pytest.mark.parametrize("method", ["stubborn_family", "hog_interpreter"])
async def test_a_killed_worker_leaves_nothing(worker: Worker, method: str) -> None:
    family = 5 if method == "stubborn_family" else 1
    process = await worker.start(0, method, family=family)
    assert len(worker.everything) >= family + 1, "with the guardian"
    process.kill()
    await until(lambda: not alive(worker.everything - {process.pid}), "all to be dead")


@pytest.mark.parametrize("method", ["stubborn_family", "hog_interpreter"])
async def test_a_stopped_worker_is_fenced_by_its_lease(worker: Worker, method: str) -> None:
    process = await worker.start(LEASE, method, family=5 if method == "stubborn_family" else 1)
    family = written(worker.folder)
    await asyncio.sleep(1.2 * LEASE)  # longer than one lease: it is being renewed
    assert alive(family) == family
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    await until(lambda: not alive(family), "the tasks to be dead")
    assert 0.5 * LEASE < time.monotonic() - began < LEASE + SAFETY
    assert psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    os.kill(process.pid, signal.SIGCONT)
    assert process.stdout is not None
    told = await asyncio.to_thread(process.stdout.readline)
    assert "Lost" in told
    assert "killed by signal 9 (SIGKILL)" in told


async def test_a_guardian_that_dies_is_replaced(worker: Worker) -> None:
    process = await worker.start(0, "hog_interpreter", family=1)
    (guardian,) = below(process.pid) - written(worker.folder)
    os.kill(guardian, signal.SIGKILL)
    await until(lambda: len(below(process.pid) - {guardian}) == 2, "another guardian")
    worker.everything |= below(process.pid)
    process.kill()
    await until(lambda: not alive(worker.everything - {process.pid}), "all to be dead")


async def test_worker_and_guardian_killed_at_once(worker: Worker) -> None:
    """Then only the task's own process notices: it ends itself, with its group."""
    process = await worker.start(0, "flood_forever", family=1)
    os.kill(process.pid, signal.SIGSTOP)
    for pid in below(process.pid) - written(worker.folder):
        os.kill(pid, signal.SIGKILL)
    process.kill()
    await until(lambda: not alive(worker.everything - {process.pid}), "all to be dead")
