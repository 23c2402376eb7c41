"""Removing what attempts have left half made: a type's `undo`, in a process of its own, an attempt at a time."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, Protocol

from jobdeck.core.errors import ErrorInfo, LeaseLost
from jobdeck.core.jobtype import JobType
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped
from jobdeck.core.tasks import UNDO, Executor, Printed, TaskRequest
from jobdeck.engine.worker.stop_control import StopControl, StopRequest

UNDO_SECONDS = 3600.0
"""Seconds that undoing one attempt may take at most, whatever its type says."""


class TaskLog(Protocol):
    """Where a job's lines go."""

    def say(self, step: str, task: int, line: Printed) -> None: ...


async def undo(
    executor: Executor, request: TaskRequest, attempts: range, seconds: float, log: TaskLog, stop_control: StopControl
) -> str | None:
    """Undo the attempts of the job that `request` is for; why that could not be done, for people. Raises LeaseLost when
    the worker ends meanwhile."""
    for attempt in attempts:
        asked = replace(
            request, attempt=attempt, step=UNDO, method=UNDO, key=UNDO, timeout=seconds, code="",
            isolation="aside",  # in a process, whatever the type says, because only that can be killed
        )  # fmt: skip
        trouble = f"What attempt {attempt} half made could not be removed:"
        match await _run_quietly(executor, asked, log, stop_control):
            case Failed(error) if error.code == "timeout":
                return f"{trouble} `undo` took longer than {seconds:g} seconds and was killed."
            case Failed(error):
                return f"{trouble} {error.message}"
            case Lost(reason):
                return f"{trouble} {reason}"
            case Stopped():
                raise LeaseLost(f"The worker of job {request.job} ended while leftovers were removed.")
    return None


def undo_seconds(job_type: type[JobType], most: float) -> float:
    """What the type allows its `undo`, within what the installation does."""
    wanted: Any = job_type.undo_timeout
    good = isinstance(wanted, int | float) and not isinstance(wanted, bool) and 0 < wanted < math.inf
    return float(min(wanted if good else JobType.undo_timeout, most))


async def _run_quietly(executor: Executor, request: TaskRequest, log: TaskLog, stop_control: StopControl) -> Outcome:
    """Run a task that keeps no checkpoints (`undo`); only its lines are kept. Nothing stops it but a lost lease."""
    run = await executor.start(request)
    stop_control.add(run, StopRequest.DIE)
    try:
        async for message in run.messages():
            if isinstance(message, Printed):
                log.say(request.step, request.index, message)
        outcome = await run.outcome()
        if isinstance(outcome, Failed):
            _say_why(log, request, outcome.error)
        return outcome
    finally:
        stop_control.drop(run)


def _say_why(log: TaskLog, request: TaskRequest, error: ErrorInfo) -> None:
    """In the log stands why, with the traceback: nothing else keeps it."""
    at = time.time_ns() // 1000
    for line in (f"{error.code}: {error.message}", *(error.traceback or "").splitlines()):
        log.say(request.step, request.index, Printed(at, "error", line))
