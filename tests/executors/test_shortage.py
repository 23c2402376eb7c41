"""Where files, processes or threads run out, tasks wait and say so; none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jobdeck.core.outcome import Lost, Succeeded
from jobdeck.executors.machine import shortage
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import PATIENCE, hear, request, until
from jobdeck.executors.threads import ThreadExecutor


@contextmanager
def no_more_files() -> Iterator[None]:
    """From here on this process gets no further descriptor."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))  # enough for the processes themselves
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "PAUSES", (0.05, 0.1))


async def test_out_of_files_is_waited_for() -> None:
    executor = ProcessExecutor(1)
    executor._reserve.lend()
    with no_more_files():
        starting = asyncio.create_task(executor.start(request(part=1)))
        await until(lambda: executor.shortage is not None, "the shortage is told")
        assert "Too many open files" in str(executor.shortage)
        await asyncio.sleep(0.3)
        assert not starting.done(), "it is no loss, however often it is met"
    async with asyncio.timeout(PATIENCE):
        heard = await hear(await starting)
    assert heard.outcome == Succeeded(1)
    assert executor.shortage is None
    await executor.aclose()


async def test_a_reserve_lets_tasks_start() -> None:
    executor = ProcessExecutor(2)
    with no_more_files():
        first = await executor.start(request(part=1))
        second = await executor.start(request(part=2))
        assert executor.shortage is None
        assert [(await hear(task)).outcome for task in (first, second)] == [Succeeded(1), Succeeded(2)]
    await executor.aclose()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM])
async def test_each_shortage_of_the_system(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    left = [number] * 7
    plain = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        if left:
            raise OSError(left.pop(), os.strerror(number))
        return plain(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    executor = ProcessExecutor(1)
    assert (await hear(await executor.start(request(part=1)))).outcome == Succeeded(1)
    assert not left
    await executor.aclose()


@pytest.mark.parametrize("kind", ["processes", "threads"])
async def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    executor = ProcessExecutor(1) if kind == "processes" else ThreadExecutor(1)
    refused: list[str] = []
    plain = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith(("jobdeck-wait", "jobdeck-task")) and len(refused) < 5:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        plain(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert (await hear(await executor.start(request(part=1)))).outcome == Succeeded(1)
    assert len(refused) == 5
    monkeypatch.undo()
    await executor.aclose()


async def test_a_closed_executor_stops_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EAGAIN, "nothing")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    executor = ProcessExecutor(1)
    starting = asyncio.create_task(executor.start(request()))
    await until(lambda: executor.shortage is not None, "it waits")
    await executor.aclose()
    async with asyncio.timeout(PATIENCE):
        outcome = await (await starting).outcome()
    assert not isinstance(outcome, Lost)
