"""One step's tasks: run those that have not succeeded, some at a time, and record what each says and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from jobdeck.core.errors import ErrorInfo, tells_more
from jobdeck.core.jobtype import StepSpec
from jobdeck.core.life.endings import Broke, Ending, Retry, RetryLater
from jobdeck.core.life.records import (
    Checkpoints,
    Record,
    SavedStep,
    SavedTask,
    StepClosed,
    StepOpened,
    TaskAdvanced,
    TaskEnded,
    TaskStarted,
)
from jobdeck.core.life.states import StepState
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.retry import losses_exhausted, pause_after_loss
from jobdeck.core.tasks import (
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
from jobdeck.core.values import encode
from jobdeck.engine.worker.progress import TELL_SECONDS, DelayedFlush, ProgressTracker
from jobdeck.engine.worker.results import Results
from jobdeck.engine.worker.stop_control import StopControl, StopRequest
from jobdeck.engine.worker.undoing import TaskLog

START_SECONDS = 0.01
"""How long the record of a first step's or a task's start waits for more to be written with it."""
MAX_WARNINGS = 1_000_000_000
LOOK_SECONDS = 1.0
"""Between two looks at why a task does not start."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """How tasks get to an executor: what all of the step are asked alike, how many run at a time, and where what they
    return goes."""

    executor: Executor
    request: TaskRequest
    parallel: int
    results: Results

    def request_for(self, task: SavedTask, failures: int) -> TaskRequest:
        """`failures`: how often the task has failed in the life of the job."""
        return replace(
            self.request,
            index=task.index,
            key=task.key,
            part=json.loads(task.part) if task.part else None,
            cursor=json.loads(task.cursor) if task.cursor else None,
            failures=failures,
        )


@dataclass(slots=True)
class _TaskState:
    """What one run of one task has said so far and is not recorded yet."""

    host: str
    began: float
    """By the clock of the event loop, in seconds."""
    progressed: Progressed | None = None
    cursor: str | None = None
    advanced: bool = False
    told: float = 0.0
    warnings: int = 0
    touched: tuple[Touched, ...] = ()

    @property
    def due_in(self) -> float:
        """Seconds until its progress may be told again; 0 or less when it may be now."""
        return self.told + TELL_SECONDS - asyncio.get_running_loop().time()


class StepRun:
    """Runs the tasks of one step. `earlier` are failures by task in earlier attempts of the job; when the step is
    `followed` at once by a write, the end of its last task is left to that. `opening` has to be written first."""

    def __init__(
        self, index: int, spec: StepSpec, step: SavedStep, dispatch: Dispatch, checkpoints: Checkpoints,
        stop_control: StopControl, tracker: ProgressTracker, log: TaskLog, now: Callable[[], int],
        earlier: dict[int, int], followed: bool, opening: StepOpened | None,
    ) -> None:  # fmt: skip
        self._index = index
        self._spec = spec
        self._tasks = {t.index: t for t in step.tasks}
        self._open = sum(t.state is not StepState.SUCCEEDED for t in step.tasks)
        """Tasks that have not succeeded."""
        self._dispatch = dispatch
        self._where = f"{dispatch.request.type}.{spec.name}"
        self._checkpoints = checkpoints
        self._stop_control = stop_control
        self._tracker = tracker
        self._log = log
        self._now = now
        self._earlier = earlier
        self._followed = followed
        self._opening = opening
        self._opened = asyncio.get_running_loop().time()
        self._errors: dict[int, ErrorInfo] = {}
        self._given_up = False
        self._told: set[str] = set()
        """Kinds of failures whose traceback is in the log."""
        self._begun: dict[int, _TaskState] = {}
        """Tasks whose start was not told yet: most of the short ones tell it together with their end."""
        self._held: dict[int, _TaskState] = {}
        """Tasks with progress that was not told, because it came too soon."""
        self.unwritten: tuple[Record, ...] = ()
        """What may be written with what follows the step: the end of its last task, or its opening if it had none."""
        self._flush = DelayedFlush(self._tell_held, lambda: stop_control.ask(StopRequest.DIE))

    async def run(self) -> tuple[Ending | None, tuple[SavedTask, ...]]:
        """The tasks as they stand now, and the job run's ending if a failed task ends it."""
        if self._opening is not None:
            self._flush.within(START_SECONDS)
        todo = iter([t for t in self._tasks.values() if t.state is not StepState.SUCCEEDED])
        runners = [
            asyncio.create_task(self._work_off(todo)) for _ in range(min(self._dispatch.parallel, len(self._tasks)))
        ]
        try:
            await asyncio.gather(*runners)
            await self._flush.close()
        except BaseException:
            self._stop_control.ask(StopRequest.DIE)
            await asyncio.gather(*runners, self._flush.close(), return_exceptions=True)
            raise
        ending = await self._ending()
        self.unwritten = (*self._take_opening(), *self.unwritten)
        return ending, tuple(self._tasks.values())

    async def _write(self, *records: Record) -> None:
        await self._checkpoints.write(*self._take_opening(), *records)

    def _take_opening(self) -> tuple[Record, ...]:
        """The step's opening, unless it was written."""
        opening, self._opening = self._opening, None
        return () if opening is None else (replace(opening, ago=_since(self._opened)),)

    async def _work_off(self, todo: Iterator[SavedTask]) -> None:
        for task in todo:
            if not self._goes_on():
                return
            await self._run_task(task)

    async def _ending(self) -> Ending | None:
        if not self._errors or self._stop_control.asked in (StopRequest.CANCEL, StopRequest.DIE):
            return None
        delays = {i: self._spec.retry.delay_after(self._tasks[i].tries, error) for i, error in self._errors.items()}
        for i, delay in delays.items():
            if delay is None:
                error = self._errors[i]
                reading = [self._tracker.reading(self._index)] if self._tracker.held else []
                await self._write(*reading, StepClosed(self._index, StepState.FAILED, error))
                return Broke(error)
        at = self._now() + int(max(d for d in delays.values() if d is not None) * 1_000_000)
        first = next(iter(self._errors))
        return RetryLater(self._errors[first], at, self._next_try(first))

    def _next_try(self, task: int) -> Retry:
        failed = self._tasks[task]
        return Retry(self._spec.name, task, failed.key, failed.tries + 1, self._spec.retry.attempts)

    async def _run_task(self, task: SavedTask) -> None:
        """Run it; a process that died on its own is replaced, unless that happens again and again without progress."""
        losses = 0
        while True:
            failures = self._earlier.get(task.index, 0) + task.failures
            run = await self._start(task, self._dispatch.request_for(task, failures))
            if run is None:
                return None
            state = _TaskState(run.host, asyncio.get_running_loop().time())
            outcome = await self._follow(run, task, state)
            task = replace(self._tasks[task.index], cursor=state.cursor or task.cursor)
            losses = 1 if state.advanced else losses + 1
            if isinstance(outcome, Lost) and self._goes_on() and not losses_exhausted(losses):
                if start := self._start_of(task.index):
                    await self._write(*start)
                pause = pause_after_loss(losses, outside=outcome.outside)
                lost = f"The task's process was lost ({outcome.reason}); it goes on from its last checkpoint"
                self._say(task, f"{lost} in {pause:g} s.")
                if not await self._nothing_asked_for(pause):
                    return await self._end(task, outcome, state)
                continue
            return await self._end(task, outcome, state)

    async def _nothing_asked_for(self, seconds: float) -> bool:
        """Wait; False as soon as something is asked of the job, or its step is given up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop_control.changed.wait()
        return self._goes_on()

    def _goes_on(self) -> bool:
        return self._stop_control.asked is StopRequest.NOTHING and not self._given_up

    async def _start(self, task: SavedTask, request: TaskRequest) -> TaskRun | None:
        """Start it once the executor has a place; None if something is asked of the job before."""
        executor = self._dispatch.executor
        starting = asyncio.ensure_future(executor.start(request))
        asked = asyncio.ensure_future(self._stop_control.changed.wait())
        told = None
        try:
            while not (starting.done() or asked.done()):
                await asyncio.wait({starting, asked}, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done() and executor.shortage not in (None, told):
                    told = executor.shortage
                    self._say(task, f"The task waits. {told}")
            if starting.done():
                return starting.result()
            starting.cancel()
            await asyncio.wait({starting})
            return None if starting.cancelled() else starting.result()
        finally:
            asked.cancel()

    async def _follow(self, run: TaskRun, task: SavedTask, state: _TaskState) -> Outcome:
        self._stop_control.add(run)
        try:
            self._begun[task.index] = state
            self._flush.within(START_SECONDS)
            async for message in run.messages():
                await self._take(message, task, state)
            outcome = await run.outcome()
            if killed := self._stop_control.why_killed(run):
                called = "" if task.key in ("", f"{self._spec.name}[0]") else f", task {task.key},"
                self._say(task, f"Step '{self._spec.name}'{called} was {killed}.")
            return outcome
        except BaseException:
            # The lease is lost, or this worker is broken: nothing of it may go on.
            self._begun.pop(task.index, None)
            await run.kill()
            raise
        finally:
            self._held.pop(task.index, None)
            self._stop_control.drop(run)

    async def _take(self, message: TaskMessage, task: SavedTask, state: _TaskState) -> None:
        match message:
            case Printed():
                self._log.say(self._spec.name, task.index, message)
            case Progressed():
                state.progressed = message
                self._tracker.advance(self._index, task.index, message)
                if state.due_in <= 0:
                    await self._tell(task, state)
                else:
                    self._held[task.index] = state
                    self._flush.within(state.due_in)
            case Checkpointed():
                state.cursor = encode(message.cursor)
                state.advanced = True
                await self._tell(task, state, cursor=state.cursor)
            case Touched():
                state.touched += (message,)
            case Warned():
                state.warnings = min(state.warnings + message.count, MAX_WARNINGS)
                self._log.say(self._spec.name, task.index, Printed(self._now(), "warning", message.text))
            case _:
                assert_never(message)

    async def _tell(self, task: SavedTask, state: _TaskState, cursor: str | None = None) -> None:
        told = self._advance(task.index, state, cursor)
        await self._write(*self._start_of(task.index), told, *self._reading())

    def _start_of(self, task: int) -> list[Record]:
        """The record of its start, unless that was told."""
        state = self._begun.pop(task, None)
        if state is None:
            return []
        return [TaskStarted(self._index, task, state.host, _since(state.began))]

    def _advance(self, task: int, state: _TaskState, cursor: str | None = None) -> TaskAdvanced:
        state.told = asyncio.get_running_loop().time()
        self._held.pop(task, None)
        return _advanced(self._index, task, state.progressed, cursor)

    def _reading(self) -> list[Record]:
        """The job's progress if it is due, else it is told later."""
        if self._tracker.due():
            return [self._tracker.reading(self._index)]
        self._flush.within(self._tracker.due_in)
        return []

    async def _tell_held(self) -> float | None:
        """Tell what was held back and is due; seconds until there is more."""
        due: list[Record] = [record for i in list(self._begun) for record in self._start_of(i)]
        due += [self._advance(i, state) for i, state in list(self._held.items()) if state.due_in <= 0]
        if self._tracker.held and self._tracker.due():
            due.append(self._tracker.reading(self._index))
        if due or self._opening is not None:
            await self._write(*due)
        waits = [state.due_in for state in self._held.values()] + ([self._tracker.due_in] if self._tracker.held else [])
        return max(0.0, min(waits)) if waits else None

    async def _end(self, task: SavedTask, outcome: Outcome, state: _TaskState) -> None:
        ended = self._ended(task, outcome, state)
        records: list[Record] = [_advanced(self._index, task.index, state.progressed)] if state.progressed else []
        if ended.state is StepState.SUCCEEDED:
            self._tracker.end_task(self._index, task.index)
        records += self._reading()
        records = [*self._start_of(task.index), *records, ended]
        if ended.state is StepState.SUCCEEDED:
            self._open -= 1
        if self._followed and not self._open:
            self.unwritten = tuple(records)
        else:
            await self._write(*records)
        failed = int(ended.state is StepState.FAILED)
        self._tasks[task.index] = replace(
            task, state=ended.state, tries=task.tries + failed, failures=task.failures + failed
        )
        if ended.error is not None:
            self._failed(task, ended.error)

    def _ended(self, task: SavedTask, outcome: Outcome, state: _TaskState) -> TaskEnded:
        index, place = self._index, task.index
        match outcome:
            case Succeeded(result):
                text = encode(result) if result is not None else None
                if error := self._dispatch.results.keep(place, text, self._where):
                    return TaskEnded(index, place, StepState.FAILED, None, error, (), state.warnings)
                return TaskEnded(index, place, StepState.SUCCEEDED, text, None, state.touched, state.warnings)
            case Failed(error):
                return TaskEnded(index, place, StepState.FAILED, None, error, (), state.warnings)
            case Stopped():
                return TaskEnded(index, place, StepState.PENDING)
            case Lost(reason) if self._goes_on():
                hint = "Look at the machine's memory and at the task's log; then resume the job."
                return TaskEnded(
                    index, place, StepState.FAILED, None, ErrorInfo("worker_lost", reason, hint, None, False)
                )
            case Lost():
                return TaskEnded(index, place, StepState.PENDING)
            case _:
                assert_never(outcome)

    def _failed(self, task: SavedTask, error: ErrorInfo) -> None:
        self._errors[task.index] = error
        self._say(task, f"{error.code}: {error.message}", "error")
        self._say_where(task, error)
        delay = self._spec.retry.delay_after(self._tasks[task.index].tries, error)
        if delay is not None:
            then = self._next_try(task.index)
            self._say(task, f"Try {then.number} of {then.of} comes in {delay:g} s.")
        elif not self._given_up:
            self._given_up = True
            self._stop_control.stop_all()

    def _say_where(self, task: SavedTask, error: ErrorInfo) -> None:
        """The traceback, where it says more than the message: of each kind of failure once."""
        if tells_more(error.code, error.traceback) and error.fingerprint not in self._told:
            self._told.add(error.fingerprint)
            for line in (error.traceback or "").splitlines():
                self._say(task, line, "error")

    def _say(self, task: SavedTask, text: str, level: str = "warning") -> None:
        self._log.say(self._spec.name, task.index, Printed(self._now(), level, text))


def _since(moment: float) -> int:
    """µs by the clock of the event loop."""
    return int((asyncio.get_running_loop().time() - moment) * 1_000_000)


def _advanced(step: int, task: int, progressed: Progressed | None, cursor: str | None = None) -> TaskAdvanced:
    if progressed is None:
        return TaskAdvanced(step, task, cursor)
    p = progressed
    return TaskAdvanced(step, task, cursor, p.done, p.total, p.unit or None, p.rows, p.bytes)
