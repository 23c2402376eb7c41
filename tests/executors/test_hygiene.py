"""Nothing of a task reaches the next one in its process: not its run, its settings, its threads, its files."""

from __future__ import annotations

import asyncio
import os
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobdeck.core.outcome import Stopped, Succeeded
from jobdeck.core.tasks import Checkpointed, Executor, Printed, Progressed, Touched, Warned
from jobdeck.core.values import MAX_COUNT
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import Heard, hear, request, run, until
from jobdeck.executors.threads import ThreadExecutor
from tests.executors.messy import MESSES, ONLY_ROOT

MESSY = "tests.executors.messy:Messy"


@pytest.fixture
async def executor() -> AsyncIterator[ProcessExecutor]:
    executor = ProcessExecutor(1)
    yield executor
    await executor.aclose()


@pytest.fixture(params=["processes", "threads"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[Executor]:
    executor: Executor = ProcessExecutor(1) if request.param == "processes" else ThreadExecutor(1)
    yield executor
    await executor.aclose()


async def go(executor: Executor, method: str, what: str = "", folder: Path | str = "", job: int = 7) -> Heard:
    return await run(executor, method, implementation=MESSY, params={"what": what, "folder": str(folder)}, job=job)


async def test_every_mess_is_gone_for_the_next_task(executor: ProcessExecutor) -> None:
    before = (await go(executor, "state")).result
    for what in MESSES:
        if what in ONLY_ROOT and os.geteuid() != 0:
            continue
        assert (await go(executor, "mess", what)).outcome == Succeeded("made"), what
        after = (await go(executor, "state")).result
        assert after == before, what


async def test_numbers_drawn_follow_from_no_other_task(executor: ProcessExecutor) -> None:
    drawn = set()
    for _ in range(2):
        await go(executor, "mess", "seed")
        drawn.add((await go(executor, "draw")).result)
    assert len(drawn) == 2


async def test_an_orderly_task_keeps_its_process(executor: ProcessExecutor) -> None:
    pids = {(await go(executor, "pid")).result for _ in range(5)}
    for what in ("recursion", "sockets", "gc", "filters", "zone", "precision", "level", "environ", "files"):
        await go(executor, "mess", what)
        pids.add((await go(executor, "pid")).result)
    assert len(pids) == 1, "what can be put back costs no process"


async def test_a_run_is_dead_when_its_task_is(either: Executor) -> None:
    first = (await go(either, "keep", job=1)).result
    heard = await go(either, "use_kept", job=2)
    assert heard.result == [
        f"{call}: RunEnded" for call in ("checkpoint", "log", "stop", "progress", "warn", "reads", "writes", "result")
    ]
    assert heard.of(Checkpointed) == heard.of(Progressed) == heard.of(Warned) == heard.of(Touched) == []
    assert heard.lines() == []
    assert (await go(either, "pid")).result == first, "it was the same process"


async def test_threads_of_a_step_get_their_time(executor: ProcessExecutor, tmp_path: Path) -> None:
    heard = await go(executor, "upload_behind", folder=tmp_path)
    assert heard.outcome == Succeeded("returned")
    assert heard.lines() == ["uploaded"]
    assert (tmp_path / "uploaded").exists()


async def test_threads_that_go_on_are_told_of(executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = (await go(executor, "pid")).result
    task = await executor.start(request("never_ending_thread", implementation=MESSY, params={}))
    asyncio.get_running_loop().call_later(1.0, task.stop)  # nobody has to wait for all the patience
    heard = await hear(task)
    (warned,) = heard.of(Warned)
    assert "1 of its threads" in warned.text
    assert "forever" in warned.text
    assert (await go(executor, "pid")).result != pid


async def test_odd_numbers_fail_nothing(either: Executor) -> None:
    heard = await go(either, "odd_numbers")
    assert heard.outcome == Succeeded()
    for message in (*heard.of(Progressed), *heard.of(Touched)):
        numbers = [message.rows, message.bytes, getattr(message, "done", 0), getattr(message, "total", 0)]
        assert all(number is None or 0 <= number <= MAX_COUNT for number in numbers), message
    assert all(0 <= warned.count <= 1_000_000 for warned in heard.of(Warned))
    assert any("was left out" in line for line in heard.lines("warning"))


async def test_odd_texts_fail_nothing(either: Executor) -> None:
    heard = await go(either, "odd_texts")
    assert heard.outcome == Succeeded()
    assert heard.lines("info") == ["a␀b", "?", "\N{REPLACEMENT CHARACTER}", "(its text cannot be shown)"]
    assert [w.text for w in heard.of(Warned)] == heard.lines("info")
    assert [t.object for t in heard.of(Touched)] == heard.lines("info")


async def test_odd_failures_keep_their_cause(either: Executor) -> None:
    error = (await go(either, "fail_with_error")).error
    assert (error.code, error.message) == ("task_failed", "ValueError: the cause")
    for what in ("none", "long", "number", "spaces", "surrogate"):
        error = (await go(either, "fail_with_code", what)).error
        assert (error.code, error.message, error.hint) == ("task_failed", "a␀b", "ValueError: hint"), what
        assert error.retryable is True
    assert (await go(either, "odd_cursor")).error.code == "cursor_not_storable"


async def test_async_steps_run(either: Executor, tmp_path: Path) -> None:
    assert (await go(either, "wait_for_it")).result == 1
    assert (await go(either, "coroutine")).result == 2
    assert (await go(either, "async_parts")).result == ["a", "b"]
    error = (await go(either, "async_fails")).error
    assert (error.code, error.message) == ("unexpected_error", "LookupError: no such row")
    assert "in async_fails" in (error.traceback or "")
    sign = tmp_path / "began"
    task = await either.start(request("async_work", implementation=MESSY, params={"folder": str(sign)}))
    await until(sign.exists, "it began")
    task.stop()
    assert (await hear(task)).outcome == Stopped()
    assert (await go(either, "wait_for_it")).result == 1


async def test_who_was_told_to_stop_has_stopped(either: Executor, tmp_path: Path) -> None:
    sign = tmp_path / "began"
    task = await either.start(request("swallow", implementation=MESSY, params={"folder": str(sign)}))
    await until(sign.exists, "it began")
    task.stop()
    assert (await hear(task)).outcome == Stopped()


async def test_open_lines_are_shown(executor: ProcessExecutor, tmp_path: Path) -> None:
    sign = tmp_path / "wait"
    sign.touch()
    task = await executor.start(request("ask", implementation=MESSY, params={"folder": str(sign)}))
    lines: list[str] = []
    async with asyncio.timeout(60):
        async for message in task.messages():
            assert isinstance(message, Printed)
            lines.append(message.text)
            if len(lines) == 2:
                sign.unlink()  # it waits for that: both were shown before
    assert sorted(lines[:2]) == ["100 %", "Overwrite? [y/N] "]
    assert lines[2:] == []


async def test_code_that_was_edited_is_loaded_anew(
    executor: ProcessExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    def write(answer: str) -> None:
        helper = "def answer():\n    return " + repr(answer)
        (tmp_path / "edited_pack").mkdir(exist_ok=True)
        (tmp_path / "edited_pack" / "__init__.py").write_text("")
        (tmp_path / "edited_pack" / "helper.py").write_text(helper)
        text = """
            from jobdeck.core.jobtype import JobType

            class Edited(JobType):
                def answer(self, run):
                    from edited_pack.helper import answer
                    return answer()
        """
        (tmp_path / "edited_pack" / "types.py").write_text(textwrap.dedent(text))

    for answer in ("old", "newer", "newest of all"):
        write(answer)
        for _ in range(2):
            heard = await run(executor, "answer", implementation="edited_pack.types:Edited")
            assert heard.result == answer
