"""One running job, step by step: look up what is done, run what is not, record each, say how the job run ended.

Knows nothing of claims or SQL; what it records goes through core.life.records.Checkpoints."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo, LeaseLost
from jobdeck.core.jobtype import JobType, StepSpec
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import (
    Checkpoints,
    JobUndone,
    PlannedTask,
    Record,
    SavedStep,
    SavedTask,
    StepClosed,
    StepOpened,
)
from jobdeck.core.life.states import StepState
from jobdeck.core.outcome import Failed, Lost, Stopped
from jobdeck.core.registry import RegisteredType
from jobdeck.core.tasks import UNDO, Executor, Printed, TaskRequest
from jobdeck.core.values import MAX_RESULT, encode
from jobdeck.engine.hooks import HookProcesses
from jobdeck.engine.worker.planning import LOADED, Interrupted, Planner, Version
from jobdeck.engine.worker.progress_tracker import ProgressTracker
from jobdeck.engine.worker.results import Results, ResultsTooLarge
from jobdeck.engine.worker.step_run import Dispatch, StepRun, TaskLog, run_quietly
from jobdeck.engine.worker.stop_control import StopControl, StopRequest
from jobdeck.executors.harness import describe
from jobdeck.executors.machine.code import code_changed
from jobdeck.store.running.assignments import Assignment
from jobdeck.store.running.leases import UNDO as UNDO_PURPOSE

UNDO_SECONDS = 3600.0
"""Seconds that undoing one attempt may take at most, whatever its type says."""


class Runner:
    """Runs one assigned job until the job leaves this worker. `now` gives the database's time (µs)."""

    def __init__(
        self,
        job: Assignment,
        registered: RegisteredType,
        environment: Environment,
        checkpoints: Checkpoints,
        executor: Executor,
        log: TaskLog,
        now: Callable[[], int],
        parallel: int,
        hooks: HookProcesses | None = None,
        undo_seconds: float = UNDO_SECONDS,
        version: Version = LOADED,
    ) -> None:
        self._job = job
        self._registered = registered
        self._environment = environment
        self._checkpoints = checkpoints
        self._executor = executor
        self._log = log
        self._now = now
        self._parallel = parallel
        self._dirty_since = job.dirty_since
        self._results = Results(environment.work_dir)
        self._params = json.loads(job.params)
        self._ran: set[str] = set()
        """Steps that were run to their end in this run."""
        self.unwritten: tuple[Record, ...] = ()
        """The end of a step, which is written together with what follows it: the next step, or the end of the job run.
        Its tasks are recorded, so that nothing is lost without it; but for the last one if nothing comes between."""
        self._opening: StepOpened | None = None
        """The first step's, which is written together with the start of its first task."""
        self.stop_control = StopControl(registered.job_type.grace)
        self._version = version
        self._planner = Planner(job, registered, hooks, self.stop_control, version)
        self._undo_seconds = _undo_seconds(registered, undo_seconds)

    async def run(self) -> Ending | None:
        """How the job run ended; None when the lease was lost, so that there is nothing to say."""
        try:
            if self._job.purpose == UNDO_PURPOSE:
                return await self._halted()
            return await self._run()
        except Interrupted:
            return await self._halted()
        except LeaseLost:
            self.stop_control.ask(StopRequest.DIE)
            return None
        finally:
            self._results.close()

    async def _run(self) -> Ending | None:
        trouble = await self._undo(before=self._job.attempt)
        if trouble is not None:
            return Broke(ErrorInfo("undo_failed", trouble, "Look at the log; then resume or restart the job."))
        if self._job.code and self._version.code and self._job.code != self._version.code:
            return Broke(describe(code_changed(self._job.type, self._version.newest), self._job.type))
        plan = await self._planner.plan()
        if isinstance(plan, ErrorInfo):
            return Broke(plan)
        # In its first epoch a job has nothing saved; a look-up each would be most of what a short job costs.
        saved = await self._checkpoints.load() if self._job.epoch > 1 else []
        changed = self._planner.changed(plan, saved)
        if changed is not None:
            return Broke(changed)
        tracker = ProgressTracker(plan, saved, self._job.fraction)
        for index, spec in enumerate(plan):
            # Code of the type's that splits the next step could take long, and so could the end of the job run.
            followed = index + 1 < len(plan) and not callable(plan[index + 1].each)
            ending = await self._run_step(index, spec, saved, tracker, followed)
            if ending is not None or self.stop_control.asked is StopRequest.DIE:
                return ending
        return Finished(self._result(plan[-1].name) if plan else None)

    def _result(self, step: str) -> str | None:
        """What the last step returned is the job's result, within the bound of a result."""
        if not self._results.too_large(step):
            last = self._results.of(step)
            if last is None or (isinstance(last, list) and all(item is None for item in last)):
                return None
            text = encode(last)
            if len(text.encode()) <= MAX_RESULT:
                return text
        told = f"The results of step '{step}' are too large together to be the job's result; see its tasks."
        self._log.say(step, 0, Printed(self._now(), "warning", told))
        return None

    async def _run_step(
        self, index: int, spec: StepSpec, saved: list[SavedStep], tracker: ProgressTracker, followed: bool
    ) -> Ending | None:
        step = next((s for s in saved if s.index == index), None)
        before = step
        if step is not None:
            kept = await self._saved(index, spec, saved, step)
            if isinstance(kept, ErrorInfo):
                return Broke(kept)
            step = kept
        if step is not None and step.state is StepState.SUCCEEDED:
            return self._keep_results(spec, len(step.tasks))
        if self.stop_control.asked is not StopRequest.NOTHING:
            return await self._halted()
        opened = await self._open_step(index, spec, step, before)
        if isinstance(opened, ErrorInfo):
            return Broke(opened)
        tracker.open(opened)
        step_run = StepRun(
            index,
            spec,
            opened,
            self._dispatch(index, spec),
            self._checkpoints,
            self.stop_control,
            tracker,
            self._log,
            self._now,
            await self._checkpoints.earlier_failures(index),
            followed,
            self._take_opening(),
        )
        ending, tasks = await step_run.run()
        if ending is not None:
            return ending
        if any(t.state is not StepState.SUCCEEDED for t in tasks):
            return await self._halted()
        tracker.end_step(index)
        self._ran.add(spec.name)
        self.unwritten = (*step_run.unwritten, StepClosed(index, StepState.SUCCEEDED), tracker.reading(index))
        return self._keep_results(spec, len(tasks))

    async def _open_step(
        self, index: int, spec: StepSpec, step: SavedStep | None, before: SavedStep | None
    ) -> SavedStep | ErrorInfo:
        """`before`: the step as it was recorded, where its tasks may be others by now."""
        tasks = step.tasks if step is not None else await self._planner.split(index, spec, self._results)
        if isinstance(tasks, ErrorInfo):
            return tasks
        dirties = self._registered.job_type.has_undo()
        known = {(t.index, t.key, t.part) for t in before.tasks} if before is not None else set()
        planned = tuple(PlannedTask(t.index, t.key, t.part) for t in tasks if (t.index, t.key, t.part) not in known)
        replaced = before is not None and (bool(planned) or len(tasks) != len(before.tasks))
        count = len(tasks) if replaced else None
        code = self._version.code or None
        opened = StepOpened(index, spec.name, spec.weight, planned, dirties, count=count, code=code)
        if dirties or self.unwritten:
            await self._checkpoints.write(*self._take_unwritten(), opened)
        else:  # there is no result yet that could be lost, and nothing that would have to be undone
            self._opening = opened
        if dirties and not self._dirty_since:
            self._dirty_since = self._job.attempt
        return SavedStep(index, spec.name, StepState.RUNNING, tuple(tasks))

    def _take_unwritten(self) -> tuple[Record, ...]:
        taken, self.unwritten = self.unwritten, ()
        return taken

    def _take_opening(self) -> StepOpened | None:
        taken, self._opening = self._opening, None
        return taken

    def _returned(self, spec: StepSpec, task: int, text: str | None) -> ErrorInfo | None:
        """A task returned it; why it cannot be kept for the steps after it."""
        try:
            self._results.add(task, text)
        except (ResultsTooLarge, OSError) as error:
            return describe(error, f"{self._job.type}.{spec.name}")
        return None

    def _keep_results(self, spec: StepSpec, tasks: int) -> Ending | None:
        """The step is done: keep what it returned for those after it; the job's ending if that cannot be."""
        try:
            self._results.close_step(spec.name, tasks, split=spec.each is not None)
        except OSError as error:
            return Broke(describe(error, f"{self._job.type}.{spec.name}"))
        return None

    async def _saved(
        self, index: int, spec: StepSpec, saved: list[SavedStep], step: SavedStep
    ) -> SavedStep | ErrorInfo:
        """The step as it goes on from what was recorded of it."""
        job_type = self._registered.job_type
        if spec.name == job_type.looks_again and spec.each is None and self._job.last_operation == Operation.RESUME:
            again = self._once_more(spec, step)
        elif isinstance(spec.each, str) and spec.each == job_type.looks_again and spec.each in self._ran:
            again = await self._planner.split_again(index, spec, step, self._results)
        else:
            return self._keep_saved(spec, saved, step)
        if isinstance(again, ErrorInfo):
            return again
        saved[saved.index(step)] = again
        return self._keep_saved(spec, saved, again)

    def _once_more(self, spec: StepSpec, step: SavedStep) -> SavedStep | ErrorInfo:
        """A step that is to run again although it succeeded; its task reads what it returned before."""
        try:
            self._results.keep_before(spec.name, step.tasks[0].result)
        except OSError as error:
            return describe(error, f"{self._job.type}.{spec.name}")
        if step.state is not StepState.SUCCEEDED:
            return step
        first = dataclasses.replace(step.tasks[0], state=StepState.PENDING, cursor=None, done=0)
        return dataclasses.replace(step, state=StepState.PENDING, tasks=(first,))

    def _keep_saved(self, spec: StepSpec, saved: list[SavedStep], step: SavedStep) -> SavedStep | ErrorInfo:
        """What its tasks returned before this run goes where that of the others goes, and is not held beside."""
        saved.remove(step)
        tasks = []
        for task in step.tasks:
            if task.state is StepState.SUCCEEDED and (error := self._returned(spec, task.index, task.result)):
                return error
            tasks.append(dataclasses.replace(task, result=None))
        return dataclasses.replace(step, tasks=tuple(tasks))

    def _dispatch(self, index: int, spec: StepSpec) -> Dispatch:
        parallel = min(spec.parallel or self._parallel, self._parallel)
        return Dispatch(
            self._executor, lambda task, failures: self._request(index, spec, task, failures), parallel,
            lambda task, text: self._returned(spec, task, text),
        )  # fmt: skip

    def _request(self, index: int, spec: StepSpec, task: SavedTask, failures: int) -> TaskRequest:
        return TaskRequest(
            job=self._job.id,
            project=self._job.project,
            type=self._job.type,
            implementation=self._registered.implementation,
            attempt=self._job.attempt,
            epoch=self._job.epoch,
            step=spec.name,
            method=spec.method,
            step_index=index,
            index=task.index,
            key=task.key,
            params=self._params,
            part=json.loads(task.part) if task.part else None,
            results=self._results.inline,
            result_files=self._results.files,
            cursor=json.loads(task.cursor) if task.cursor else None,
            failures=failures,
            environment=self._environment,
            isolation=self._registered.job_type.isolation,
            timeout=spec.timeout,
            code=self._version.code,
        )

    async def _halted(self) -> Ending | None:
        """All tasks are dead. For good or for a restart: remove what was half made.

        When nothing was asked, the executor has stopped them, because it saw the worker's leases run out."""
        if self.stop_control.asked is StopRequest.DIE:
            return None
        if self._job.purpose != UNDO_PURPOSE and self.stop_control.asked is not StopRequest.CANCEL:
            return Halted() if self.stop_control.asked is StopRequest.PAUSE else HandedBack()
        return Halted(undone=True, trouble=await self._undo(before=self._job.attempt + 1))

    async def _undo(self, *, before: int) -> str | None:
        """Undo the attempts that may have left something about; why it could not be done, for people."""
        if not self._dirty_since or self._dirty_since >= before:
            return None
        for attempt in range(self._dirty_since, before):
            outcome = await run_quietly(self._executor, self._undo_request(attempt), self._log, self.stop_control)
            match outcome:
                case Failed(error) if error.code == "timeout":
                    took = f"`undo` took longer than {self._undo_seconds:g} seconds and was killed."
                    return f"What attempt {attempt} half made could not be removed: {took}"
                case Failed(error):
                    return f"What attempt {attempt} half made could not be removed: {error.message}"
                case Lost(reason):
                    return f"What attempt {attempt} half made could not be removed: {reason}"
                case Stopped():
                    raise LeaseLost(f"The worker of job {self._job.id} ended while leftovers were removed.")
        self._dirty_since = 0
        await self._checkpoints.write(JobUndone())
        return None

    def _undo_request(self, attempt: int) -> TaskRequest:
        job = self._job
        return TaskRequest(
            job=job.id,
            project=job.project,
            type=job.type,
            implementation=self._registered.implementation,
            attempt=attempt,
            epoch=job.epoch,
            step=UNDO,
            method=UNDO,
            step_index=-1,
            index=0,
            key=UNDO,
            params=self._params,
            environment=self._environment,
            isolation="aside",  # in a process, whatever the type says, because only that can be killed
            timeout=self._undo_seconds,
        )


def _undo_seconds(registered: RegisteredType, most: float) -> float:
    """What the type allows its `undo`, within what the installation does."""
    wanted: Any = registered.job_type.undo_timeout
    good = isinstance(wanted, int | float) and not isinstance(wanted, bool) and 0 < wanted < math.inf
    return float(min(wanted if good else JobType.undo_timeout, most))
