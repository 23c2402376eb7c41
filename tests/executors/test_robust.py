"""Whatever task code does to its process, the executor answers with an outcome and the next task finds order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.core.outcome import Lost, Succeeded
from jobdeck.core.tasks import Checkpointed, Printed
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import Heard, hear, request, run
from tests.executors.processes import wild


@pytest.fixture
async def executor() -> AsyncIterator[ProcessExecutor]:
    executor = ProcessExecutor(2)
    yield executor
    await executor.aclose()


async def go(executor: ProcessExecutor, method: str, folder: Path) -> Heard:
    return await hear(await executor.start(wild(method, folder)))


async def test_settings_do_not_leak(executor: ProcessExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBDECK_HOME", "secret")
    before = (await go(executor, "state", tmp_path)).result
    assert before["home"] is None, "the worker's settings are none of a task's business"
    assert before["stdin"] == ""
    pid = (await go(executor, "pid", tmp_path)).result
    assert (await go(executor, "change_everything", tmp_path)).outcome == Succeeded()
    assert (await go(executor, "pid", tmp_path)).result == pid
    assert (await go(executor, "state", tmp_path)).result == before
    assert (await go(executor, "speak", tmp_path)).lines() == ["out", "err", "log", "program", "complaint"]


async def test_levels(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await go(executor, "speak", tmp_path)
    levels = [m.level for m in heard.messages if isinstance(m, Printed)]
    assert levels == ["stdout", "stderr", "info", "stdout", "stderr"]


async def test_a_fork_that_returns_is_not_the_task(executor: ProcessExecutor, tmp_path: Path) -> None:
    assert (await go(executor, "fork_and_return", tmp_path)).outcome == Succeeded("original")
    heard = await go(executor, "fork_and_log", tmp_path)
    assert heard.outcome == Succeeded()
    assert heard.lines() == ["from the copy", "from its run"]
    assert heard.of(Checkpointed) == []


@pytest.mark.parametrize("method", ["leave_thread", "leave_forked_printer"])
async def test_nothing_talks_into_the_next_task(executor: ProcessExecutor, tmp_path: Path, method: str) -> None:
    assert (await go(executor, method, tmp_path)).outcome == Succeeded()
    for _ in range(3):
        assert (await go(executor, "pid", tmp_path)).messages == []


async def test_crashes_are_losses_with_a_reason(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await go(executor, "segfault", tmp_path)
    assert isinstance(heard.outcome, Lost)
    assert "signal 11 (SIGSEGV)" in heard.outcome.reason
    assert heard.lines("stdout") == ["before"]
    assert any("wild.py" in line for line in heard.lines("stderr")), "faulthandler says where"
    heard = await go(executor, "kill_itself", tmp_path)
    assert isinstance(heard.outcome, Lost)
    assert "signal 9" in heard.outcome.reason


@pytest.mark.parametrize("method", ["close_all", "speak_nonsense"])
async def test_a_broken_socket_is_a_loss(executor: ProcessExecutor, tmp_path: Path, method: str) -> None:
    assert isinstance((await go(executor, method, tmp_path)).outcome, Lost)
    assert isinstance((await go(executor, "pid", tmp_path)).outcome, Succeeded)


async def test_a_module_that_exits_is_a_failure(executor: ProcessExecutor) -> None:
    error = (await run(executor, implementation="tests.executors.leaves_on_import:X")).error
    assert error.code == "type_not_loadable"
    assert "SystemExit: nobody may import me" in error.message


async def test_long_lines_are_split_between_characters(executor: ProcessExecutor, tmp_path: Path) -> None:
    lines = (await go(executor, "long_line", tmp_path)).lines()
    assert "".join(lines[:-2]) == "ü" * 100_000
    assert all(len(line.encode()) <= 65_536 for line in lines)
    assert lines[-2:] == ["x" * 65_536, "end"]


async def test_a_slow_reader_slows_the_task_and_loses_nothing(executor: ProcessExecutor, tmp_path: Path) -> None:
    task = await executor.start(wild("flood", tmp_path))
    await asyncio.sleep(0.3)
    assert len(task.mailbox._messages) < 20_000, "the task waits for its reader"
    assert (await hear(task)).lines() == [f"line {number}" for number in range(50_000)]


async def test_the_memory_limit_is_told(tmp_path: Path) -> None:
    executor = ProcessExecutor(1, memory_limit=1 << 30)
    error = (await go(executor, "hog_memory", tmp_path)).error
    assert error.code == "out_of_memory"
    assert isinstance((await go(executor, "pid", tmp_path)).outcome, Succeeded)
    await executor.aclose()


async def test_no_process_to_be_had_is_a_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = ProcessExecutor(1)
    monkeypatch.setattr("jobdeck.executors.processes.pool.PAUSES_TO_START", (0.0, 0.0))
    monkeypatch.setattr("sys.executable", "/no/such/python")
    outcome = (await go(executor, "pid", tmp_path)).outcome
    assert isinstance(outcome, Lost)
    assert "no process could be started" in outcome.reason
    monkeypatch.setattr("sys.executable", "/bin/false")
    outcome = (await go(executor, "pid", tmp_path)).outcome
    assert isinstance(outcome, Lost)
    assert "ended with status 1" in outcome.reason
    monkeypatch.undo()
    assert isinstance((await go(executor, "pid", tmp_path)).outcome, Succeeded)
    await executor.aclose()


async def test_large_requests_arrive(executor: ProcessExecutor) -> None:
    results = {f"step-{n}": ["x" * 1000] * 1000 for n in range(20)}
    assert (await run(executor, part="here", results=results)).result == "here"


async def test_a_start_that_is_given_up_leaves_its_place(tmp_path: Path) -> None:
    executor = ProcessExecutor(1)
    for _ in range(3):
        starting = asyncio.create_task(executor.start(request()))
        await asyncio.sleep(0.01)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert (await run(executor, part=1)).result == 1
    await executor.aclose()


async def test_processes_are_replaced_after_many_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobdeck.executors.processes.pool.TASKS_PER_PROCESS", 5)
    executor = ProcessExecutor(1)
    pids = [(await go(executor, "pid", tmp_path)).result for _ in range(10)]
    assert len(set(pids[:5])) == len(set(pids[5:])) == 1
    assert len({*pids, os.getpid()}) == 3
    await executor.aclose()
