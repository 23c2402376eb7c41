"""The job that only takes time: for trying out progress, pause and resume, retries, limits and kills."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from jobdeck.core.amounts import counted
from jobdeck.core.errors import TaskFailure
from jobdeck.core.jobtype import JobType, StepSpec, declared_steps, repeated, step
from jobdeck.core.refs import ObjectRef
from jobdeck.core.retry import RetryPolicy
from jobdeck.core.tasks import Run

SLICE = 0.05
"""Seconds between two looks at whether to stop."""
CHECKPOINT_EVERY = 1.0
"""Seconds slept that are lost, at most, when the process dies."""


class SleepFailed(TaskFailure, code="sleep_failed"):
    """The parameters asked this step to fail."""


class Sleep(JobType):
    """Sleep, in steps and tasks, and fail where asked to."""

    name = "sleep"
    category = "test"
    may_be_empty = True

    class Params(BaseModel):
        """How long, in how many pieces, and what should go wrong."""

        model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

        seconds: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 1.0
        """Seconds that each task sleeps."""
        steps: Annotated[int, Field(ge=0, le=10_000)] = 1
        tasks: Annotated[int, Field(ge=1, le=10_000)] = 1
        """Tasks of each step."""
        fail_step: Annotated[int, Field(ge=0)] | None = None
        """The step, counted from 0, whose first task fails after its sleep."""
        fail_times: Annotated[int, Field(ge=0)] | None = None
        """How often it fails before it succeeds, over the life of the job; absent: always."""
        ignore_signals: bool = False
        """Do not stop when asked to, and ignore SIGTERM and SIGINT: only a kill ends it."""
        write: ObjectRef | None = None
        """An object to claim as if it were written; nothing is written."""
        retries: Annotated[int, Field(ge=0, le=1_000)] = 0
        """Tries of a failed task after the first."""
        backoff: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 1.0
        """Seconds before the first retry; each further one waits twice as long."""

        @model_validator(mode="after")
        def _fail_step_exists(self) -> Self:
            if self.fail_step is not None and self.fail_step >= self.steps:
                last = self.steps - 1
                raise ValueError(f"fail_step is {self.fail_step}, and the last of {self.steps} steps is {last}")
            return self

    params: Params

    def writes(self) -> Iterable[object]:
        return () if self.params.write is None else (self.params.write,)

    def description(self) -> str:
        params = self.params
        size = "" if params.steps == params.tasks == 1 else f", {params.steps} × {params.tasks} tasks"
        return f"Sleep {params.seconds:g} s{size}"

    def plan(self) -> list[StepSpec]:
        policy = RetryPolicy(attempts=self.params.retries + 1, backoff=self.params.backoff)
        (spec,) = declared_steps(type(self))
        template = StepSpec(spec.name, spec.method, spec.each, policy)
        return repeated(template, (f"sleep-{index}" for index in range(self.params.steps)))

    @step(each=lambda params: range(params.tasks))
    def sleep(self, run: Run, part: int) -> None:
        """One task: sleep, going on from where it was stopped."""
        if self.params.ignore_signals:
            _ignore_signals()
        self._sleep(run)
        failing = part == 0 and run.step == f"sleep-{self.params.fail_step}"
        times = self.params.fail_times
        if failing and (times is None or run.failures < times):
            often = "every time" if times is None else counted(times, "time")
            raise SleepFailed(f"Step '{run.step}' was asked to fail {often}; this is time {run.failures + 1}.")

    def _sleep(self, run: Run) -> None:
        total = round(self.params.seconds * 1000)
        before = _slept(run.cursor)
        start = kept = time.monotonic()
        while (left := self.params.seconds - before / 1000 - (time.monotonic() - start)) > 0:
            time.sleep(min(SLICE, left))
            now = time.monotonic()
            done = min(total, before + round((now - start) * 1000))
            run.progress(done, total, "ms")
            if not self.params.ignore_signals and (run.should_stop or now - kept >= CHECKPOINT_EVERY):
                kept = now
                run.checkpoint(done)
        run.progress(total, total, "ms")


def _slept(cursor: Any) -> int:
    """Milliseconds slept before."""
    return cursor if isinstance(cursor, int) else 0


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
