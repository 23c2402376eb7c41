"""The conformance kit: what every executor must do, as checks that run against the real thing.

An executor says what it lacks (`"kill"`, `"capture"`, `"process"`); a check that needs it is then expected to fail, so
that a gap which closes is noticed. `dangerous` checks are not even tried by an executor that lacks what they need."""

# ruff: noqa: ARG001 – every check takes the same arguments, and its name says what it checks

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.tasks import (
    UNDO,
    Checkpointed,
    Executor,
    Printed,
    Progressed,
    TaskMessage,
    TaskRequest,
    TaskRun,
    Touched,
    Warned,
)
from jobdeck.core.values import MAX_COUNT
from jobdeck.executors.probe import HUGE, Probe

Ability = Literal["kill", "capture", "process"]
PATIENCE = 60.0
"""Seconds after which something that a check waits for counts as not happening."""


PROBE = f"{Probe.__module__}:{Probe.__name__}"


def request(method: str = "echo", **changes: Any) -> TaskRequest:
    """A request that calls `method` of `Probe`; any field of TaskRequest can be given."""
    plain = TaskRequest(
        job=7, project="default", type="probe", implementation=PROBE, attempt=1, epoch=3, step=method,
        method=method, step_index=0, index=0, key="0", params={},
    )  # fmt: skip
    return replace(plain, **changes)


@dataclass
class Heard:
    """All that came from one task."""

    outcome: Outcome
    messages: list[TaskMessage] = field(default_factory=list)

    def lines(self, *levels: str) -> list[str]:
        return [m.text for m in self.messages if isinstance(m, Printed) and (not levels or m.level in levels)]

    def of(self, kind: type[TaskMessage]) -> list[Any]:
        return [m for m in self.messages if isinstance(m, kind)]

    @property
    def error(self) -> ErrorInfo:
        assert isinstance(self.outcome, Failed), self.outcome
        return self.outcome.error

    @property
    def result(self) -> Any:
        assert isinstance(self.outcome, Succeeded), self.outcome
        return self.outcome.result


async def hear(task: TaskRun) -> Heard:
    """Everything that a started task says, to its end."""
    async with asyncio.timeout(PATIENCE):
        messages = [message async for message in task.messages()]
        return Heard(await task.outcome(), messages)


async def run(executor: Executor, method: str = "echo", **changes: Any) -> Heard:
    """Start a task and hear it to its end."""
    return await hear(await executor.start(request(method, **changes)))


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`; fails, naming `what`, when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for: {what}"
        await asyncio.sleep(0.002)


async def started(executor: Executor, method: str, path: Path, **changes: Any) -> TaskRun:
    """A task that is known to be inside its method."""
    task = await executor.start(request(method, params={"path": str(path)}, **changes))
    await until(lambda: path.exists() and bool(path.read_text()), f"{method} to begin")
    return task


# The checks. Each gets an executor of two places that nobody else uses, and an empty folder.


async def values_survive(executor: Executor, folder: Path) -> None:
    value = {"big": HUGE, "text": "a\0b/ü.'\"", "list": [None, True, -1.5, ""], "": {}}
    assert (await run(executor, part=value)).result == value


async def declared_types_come_back(executor: Executor, folder: Path) -> None:
    parts = (await run(executor, "plan_parts")).result
    assert [part["start"] for part in parts] == [HUGE, 1]
    results: dict[str, Any] = {"plan_parts": parts}
    results["count"] = [(await run(executor, "count", part=part, results=results)).result for part in parts]
    assert (await run(executor, "add", results=results)).result == HUGE + 3


async def streams_become_lists(executor: Executor, folder: Path) -> None:
    assert (await run(executor, "stream")).result == [0, 1, 2]


async def messages_come_in_order(executor: Executor, folder: Path) -> None:
    heard = await run(executor, "say")
    assert [type(m) for m in heard.messages] == [
        Printed,
        Printed,
        Printed,
        Progressed,
        Warned,
        Touched,
        Touched,
        Checkpointed,
    ]
    assert heard.lines("warning") == ["one", "two"]
    assert heard.lines("info") == ["nul ␀ and ? surrogate"]
    assert heard.of(Progressed) == [Progressed(1, 2, "rows", MAX_COUNT)]
    assert heard.of(Warned) == [Warned("careful", 3)]
    assert heard.of(Touched) == [Touched("input", "lake/in", "7", 5), Touched("output", "file:12")]
    assert heard.of(Checkpointed) == [Checkpointed({"row": HUGE})]


async def progress_is_limited(executor: Executor, folder: Path) -> None:
    began = time.monotonic()
    reports = (await run(executor, "hurry")).of(Progressed)
    assert reports[-1] == Progressed(20_000, 20_000)
    assert len(reports) <= 10 * (time.monotonic() - began) + 3
    assert [r.done for r in reports] == sorted({r.done for r in reports})


async def errors_are_told(executor: Executor, folder: Path) -> None:
    error = (await run(executor, "fail")).error
    assert (error.code, error.message, error.hint) == ("bad_file", "There is no 'x.csv'.", "Name a file that exists.")
    assert (error.retryable, error.place) == (False, "probe.fail")
    assert "in fail" in (error.traceback or "")
    unexpected = (await run(executor, "crash")).error
    assert (unexpected.code, unexpected.message, unexpected.retryable) == (
        "unexpected_error",
        "KeyError: 'colour'",
        True,
    )


async def exits_are_failures(executor: Executor, folder: Path) -> None:
    assert "SystemExit: 3" in (await run(executor, "leave")).error.message
    assert "KeyboardInterrupt" in (await run(executor, "interrupt")).error.message


async def results_are_bounded(executor: Executor, folder: Path) -> None:
    for method in ("unstorable", "not_a_number", "oversized"):
        assert (await run(executor, method)).error.code == "result_not_storable"


async def broken_types_are_failures(executor: Executor, folder: Path) -> None:
    for implementation in ("no.such.module:X", "json:NoClass", "json:JSONDecoder", "", "json:"):
        assert (await run(executor, implementation=implementation)).error.code == "type_not_loadable"
    assert (await run(executor, params={"path": 5})).error.code == "invalid_params"
    assert "no_such_method" in (await run(executor, "no_such_method")).error.message


async def undo_runs(executor: Executor, folder: Path) -> None:
    heard = await run(executor, UNDO, params={"path": str(folder / "undone")})
    assert heard.outcome == Succeeded()
    assert (folder / "undone").exists()


async def stop_is_polite(executor: Executor, folder: Path) -> None:
    task = await started(executor, "work", folder / "began")
    task.stop()
    task.stop()
    heard = await hear(task)
    assert heard.outcome == Stopped()
    cursors = [m.cursor for m in heard.of(Checkpointed)]
    assert cursors == list(range(len(cursors)))
    assert (await run(executor, part=1)).result == 1


async def kill_ends_what_can_stop(executor: Executor, folder: Path) -> None:
    task = await started(executor, "work", folder / "began")
    await task.kill()
    assert isinstance((await hear(task)).outcome, Stopped)


async def timeouts_are_failures(executor: Executor, folder: Path) -> None:
    error = (await run(executor, "work", timeout=0.3)).error
    assert (error.code, error.retryable, error.place) == ("timeout", True, "probe.work")
    assert "0.3 seconds" in error.message
    assert "'work'" in error.message


async def places_are_limited_and_fair(executor: Executor, folder: Path) -> None:
    first, second = [await started(executor, "work", folder / name) for name in ("a", "b")]
    order: list[int] = []

    async def wait(number: int) -> None:
        heard = await run(executor, part=number)
        order.append(heard.result)

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert not order
    await first.kill()
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]
    await second.kill()


async def closing_ends_everything(executor: Executor, folder: Path) -> None:
    tasks = [await started(executor, "work", folder / name) for name in ("a", "b")]
    waiting = asyncio.create_task(executor.start(request()))
    await asyncio.sleep(0)
    await executor.aclose()
    assert all([isinstance(await task.outcome(), Stopped) for task in tasks])
    assert await (await waiting).outcome() == Stopped(killed=True)
    assert await (await executor.start(request())).outcome() == Stopped(killed=True)


async def deadline_fences(executor: Executor, folder: Path) -> None:
    task = await started(executor, "work", folder / "began")
    executor.extend(time.monotonic() + 60)
    executor.extend(time.monotonic() + 0.2)
    assert isinstance((await hear(task)).outcome, Lost | Stopped)
    assert (await run(executor, part=2)).result == 2


async def kill_ends_what_ignores(executor: Executor, folder: Path) -> None:
    task = await started(executor, "ignore", folder / "began")
    try:
        async with asyncio.timeout(2):
            await task.kill()
        assert await task.outcome() == Stopped(killed=True)
    finally:
        (folder / "began").unlink()


async def prints_are_heard(executor: Executor, folder: Path) -> None:
    heard = await run(executor, "print_lines")
    expected = []
    for number in range(1000):
        expected.append(f"out {number}")
        if number % 10 == 0:
            expected += [f"log {number}", f"lib {number}", f"err {number}"]
    assert heard.lines() == [*expected, "no newline \N{REPLACEMENT CHARACTER}"]
    assert heard.lines("warning")[0] == "lib 0"
    assert heard.lines("stderr")[-1] == "err 990"
    assert (await run(executor)).messages == []


async def death_is_noticed(executor: Executor, folder: Path) -> None:
    heard = await run(executor, "vanish")
    assert isinstance(heard.outcome, Lost)
    assert "status 5" in heard.outcome.reason
    assert heard.lines() == ["last words"]
    assert (await run(executor, part=3)).result == 3


@dataclass(frozen=True)
class ExecutorDuty:
    """One duty of an executor, what it takes to fulfil it, and whether trying without that does harm."""

    run: Callable[[Executor, Path], Awaitable[None]]
    needs: Ability | None = None
    dangerous: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__


CHECKS = (
    ExecutorDuty(values_survive),
    ExecutorDuty(declared_types_come_back),
    ExecutorDuty(streams_become_lists),
    ExecutorDuty(messages_come_in_order),
    ExecutorDuty(progress_is_limited),
    ExecutorDuty(errors_are_told),
    ExecutorDuty(exits_are_failures),
    ExecutorDuty(results_are_bounded),
    ExecutorDuty(broken_types_are_failures),
    ExecutorDuty(undo_runs),
    ExecutorDuty(stop_is_polite),
    ExecutorDuty(kill_ends_what_can_stop),
    ExecutorDuty(timeouts_are_failures),
    ExecutorDuty(places_are_limited_and_fair),
    ExecutorDuty(closing_ends_everything),
    ExecutorDuty(deadline_fences),
    ExecutorDuty(kill_ends_what_ignores, needs="kill"),
    ExecutorDuty(prints_are_heard, needs="capture"),
    ExecutorDuty(death_is_noticed, needs="process", dangerous=True),
)
