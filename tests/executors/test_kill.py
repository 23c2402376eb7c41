"""Dead means dead: of what a task started, nothing survives a kill, a timeout, its own end, or its process's death."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from jobdeck.core.outcome import Failed, Lost, Stopped, Succeeded
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import hear, until
from tests.executors.processes import alive, below, wild, written


@pytest.fixture
async def executor() -> AsyncIterator[ProcessExecutor]:
    others = set(psutil.Process().children(recursive=True))
    executor = ProcessExecutor(2)
    yield executor
    await executor.aclose()
    left = set(psutil.Process().children(recursive=True)) - others
    assert not left, "alive or not reaped"


async def test_kill_leaves_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(wild("stubborn_family", tmp_path))
    await until(lambda: len(written(tmp_path)) == 5, "the family")
    family = written(tmp_path)
    assert alive(family) == family
    task.stop()
    await task.kill()
    assert not alive(family)
    assert not psutil.pid_exists(int(task.host.rpartition(":")[2])), "reaped"
    assert await task.outcome() == Stopped(killed=True)


async def test_one_that_dies_slowly_is_waited_for(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await hear(await executor.start(wild("leave_a_daemon_that_dies_slowly", tmp_path)))
    left = alive(written(tmp_path))
    assert heard.outcome == Succeeded("done")
    assert not left


async def test_timeout_leaves_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await hear(await executor.start(wild("stubborn_family", tmp_path, timeout=1.5)))
    assert isinstance(heard.outcome, Failed)
    assert heard.error.code == "timeout"
    assert len(written(tmp_path)) == 5
    assert not alive(written(tmp_path))


async def test_the_end_of_a_task_leaves_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await hear(await executor.start(wild("leave_family", tmp_path)))
    assert heard.outcome == Succeeded("done")
    assert len(written(tmp_path)) == 4
    assert not alive(written(tmp_path))


async def test_a_death_from_outside_leaves_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(wild("stubborn_family", tmp_path))
    await until(lambda: len(written(tmp_path)) == 5, "the family")
    pid = int(task.host.rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)
    heard = await hear(task)
    assert heard.outcome == Lost(f"process {pid} was killed by signal 9 (SIGKILL)", outside=True)
    # One without environment and in a session of its own can only be told by its parent, who is dead.
    assert len(alive(written(tmp_path))) <= 1
    for left in alive(written(tmp_path)):
        os.kill(left, signal.SIGKILL)


async def test_a_kill_needs_no_cooperation_of_a_busy_interpreter(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(wild("hog_interpreter", tmp_path))
    await until(lambda: len(written(tmp_path)) == 1, "the task")
    await task.kill()
    assert not alive(written(tmp_path))


async def test_a_stopped_process_can_be_killed(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(wild("stubborn_family", tmp_path))
    await until(lambda: len(written(tmp_path)) == 5, "the family")
    os.kill(int(task.host.rpartition(":")[2]), signal.SIGSTOP)
    await task.kill()
    assert not alive(written(tmp_path))


async def test_an_idle_process_that_died_is_replaced(executor: ProcessExecutor, tmp_path: Path) -> None:
    first = (await hear(await executor.start(wild("pid", tmp_path)))).result
    again = (await hear(await executor.start(wild("pid", tmp_path)))).result
    assert first == again, "processes are kept warm"
    os.kill(first, signal.SIGKILL)
    assert (await hear(await executor.start(wild("pid", tmp_path)))).result != first


async def test_every_early_death_is_survived(executor: ProcessExecutor, tmp_path: Path) -> None:
    """Kill the process at many moments of its start and of its task: always an outcome, never a hang."""
    for step in range(12):
        victims: set[int] = set()
        before = below(os.getpid())

        async def strike(delay: float = step * 0.02, victims: set[int] = victims, before: set[int] = before) -> None:
            await until(lambda: bool(below(os.getpid()) - before), "a process")
            await asyncio.sleep(delay)
            for pid in below(os.getpid()) - before:
                victims.add(pid)
                os.kill(pid, signal.SIGKILL)

        fresh = ProcessExecutor(1)
        striking = asyncio.create_task(strike())
        task = await fresh.start(wild("pid", tmp_path))
        heard = await hear(task)
        await striking
        assert isinstance(heard.outcome, Succeeded | Lost)
        assert (await hear(await fresh.start(wild("pid", tmp_path)))).result not in victims
        await fresh.aclose()
