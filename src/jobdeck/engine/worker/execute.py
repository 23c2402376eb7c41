"""One running job: look up what is done, plan, run what is not, record each, say how the job run ended.

Knows nothing of claims or SQL; what it records goes through core.life.records.Checkpoints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo, LeaseLost
from jobdeck.core.jobtype import StepSpec
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.records import (
    Checkpoints,
    JobUndone,
    PlannedTask,
    Record,
    SavedStep,
    StepClosed,
    StepOpened,
)
from jobdeck.core.life.states import StepState
from jobdeck.core.registry import RegisteredType
from jobdeck.core.tasks import Executor, Printed, TaskRequest
from jobdeck.core.values import MAX_RESULT, encode
from jobdeck.engine.hooks import HookProcesses
from jobdeck.engine.worker.planning import LOADED, Interrupted, Planner, Version
from jobdeck.engine.worker.progress import ProgressTracker
from jobdeck.engine.worker.results import Results
from jobdeck.engine.worker.step_run import Dispatch, StepRun
from jobdeck.engine.worker.stop_control import StopControl, StopRequest
from jobdeck.engine.worker.undoing import UNDO_SECONDS, TaskLog, undo, undo_seconds
from jobdeck.executors.harness import describe
from jobdeck.executors.machine.code import code_changed
from jobdeck.store.running.leases import UNDO, Assignment

T = TypeVar("T")


class Ended(Exception):
    """The job run has come to its ending before its last step."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(str(ending))
        self.ending = ending


def _sound(answer: T | ErrorInfo) -> T:
    """The answer; raises Ended where it is an error."""
    if isinstance(answer, ErrorInfo):
        raise Ended(Broke(answer))
    return answer


class Execution:
    """One assigned job from its start here until it leaves this worker. `now` gives the database's time (µs)."""

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
        most_undo_seconds: float = UNDO_SECONDS,
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
        self._results: Results
        """Of the steps, while they run."""
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
        self._most_undo_seconds = most_undo_seconds

    async def execute(self) -> Ending | None:
        """How the job run ended; None when the lease was lost, so that there is nothing to say."""
        try:
            return await self._execute()
        except LeaseLost:
            self.stop_control.ask(StopRequest.DIE)
            return None

    async def _execute(self) -> Ending | None:
        """The way of a job here: whatever ends it early leaves by Ended or Interrupted."""
        if self._job.purpose == UNDO:
            return await self._halted()
        try:
            await self._undo_earlier_attempts()
            self._check_code()
            plan = _sound(await self._planner.plan())
            saved = await self._look_up_saved(plan)
            finished = await self._run_steps(plan, saved) if plan else Finished()
            return None if self.stop_control.asked is StopRequest.DIE else finished
        except Ended as ended:
            return ended.ending
        except Interrupted:
            return await self._halted()

    async def _undo_earlier_attempts(self) -> None:
        if trouble := await self._undo(before=self._job.attempt):
            raise Ended(Broke(ErrorInfo("undo_failed", trouble, "Look at the log; then resume or restart the job.")))

    def _check_code(self) -> None:
        """An attempt runs one code to its end."""
        if self._job.code and self._version.code and self._job.code != self._version.code:
            raise Ended(Broke(describe(code_changed(self._job.type, self._version.newest), self._job.type)))

    async def _look_up_saved(self, plan: list[StepSpec]) -> list[SavedStep]:
        """What was done before; in its first epoch a job has nothing, and a look-up would be most of what a short one
        costs."""
        saved = await self._checkpoints.load() if self._job.epoch > 1 else []
        if changed := self._planner.changed(plan, saved):
            raise Ended(Broke(changed))
        return saved

    async def _run_steps(self, plan: list[StepSpec], saved: list[SavedStep]) -> Finished:
        """What the last step returned is the job's result."""
        with closing(Results(self._environment.work_dir)) as self._results:
            await self._run_each(plan, saved)
            return Finished(self._result(plan[-1].name))

    async def _run_each(self, plan: list[StepSpec], saved: list[SavedStep]) -> None:
        """Those that have not succeeded, one after another."""
        tracker = ProgressTracker(plan, saved, self._job.fraction)
        for index, spec in enumerate(plan):
            recorded = next((s for s in saved if s.index == index), None)
            step = self._keep_saved(spec, saved, recorded, await self._looked_at_again(index, spec, recorded))
            if step is None or step.state is not StepState.SUCCEEDED:
                self._go_on()
                step = await self._open_step(index, spec, step, recorded)
                tracker.open(step)
                # Code of the type's that splits the next step could take long, and so could the end of the job run.
                followed = index + 1 < len(plan) and not callable(plan[index + 1].each)
                await self._run_tasks(index, spec, step, tracker, followed)
            self._keep_results(spec, len(step.tasks))

    def _go_on(self) -> None:
        if self.stop_control.asked is not StopRequest.NOTHING:
            raise Interrupted

    async def _run_tasks(
        self, index: int, spec: StepSpec, step: SavedStep, tracker: ProgressTracker, followed: bool
    ) -> None:
        """Run the tasks of an open step that have not succeeded; returns when all of them have."""
        step_run = StepRun(
            index, spec, step, self._dispatch(index, spec), self._checkpoints, self.stop_control, tracker, self._log,
            self._now, await self._checkpoints.earlier_failures(index), followed, self._take_opening(),
        )  # fmt: skip
        ending, tasks = await step_run.run()
        if ending is not None:
            raise Ended(ending)
        if any(t.state is not StepState.SUCCEEDED for t in tasks):
            raise Interrupted
        tracker.end_step(index)
        self._ran.add(spec.name)
        self.unwritten = (*step_run.unwritten, StepClosed(index, StepState.SUCCEEDED), tracker.reading(index))

    def _result(self, step: str) -> str | None:
        """What the step returned, within the bound of a result."""
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

    async def _open_step(
        self, index: int, spec: StepSpec, step: SavedStep | None, before: SavedStep | None
    ) -> SavedStep:
        """`before`: the step as it was recorded, where its tasks may be others by now."""
        tasks = step.tasks if step is not None else _sound(await self._planner.split(index, spec, self._results))
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

    def _broke(self, error: Exception, spec: StepSpec) -> Ended:
        return Ended(Broke(describe(error, f"{self._job.type}.{spec.name}")))

    def _keep_results(self, spec: StepSpec, tasks: int) -> None:
        """The step is done: keep what it returned for those after it."""
        try:
            self._results.close_step(spec.name, tasks, split=spec.each is not None)
        except OSError as error:
            raise self._broke(error, spec) from error

    async def _looked_at_again(self, index: int, spec: StepSpec, step: SavedStep | None) -> SavedStep | None:
        """The step as it goes on from what was recorded of it."""
        job_type = self._registered.job_type
        if step is None:
            return None
        if spec.name == job_type.looks_again and spec.each is None and self._job.last_operation == Operation.RESUME:
            return self._once_more(spec, step)
        if isinstance(spec.each, str) and spec.each == job_type.looks_again and spec.each in self._ran:
            return _sound(await self._planner.split_again(index, spec, step, self._results))
        return step

    def _once_more(self, spec: StepSpec, step: SavedStep) -> SavedStep:
        """A step that is to run again although it succeeded; its task reads what it returned before."""
        try:
            self._results.keep_before(spec.name, step.tasks[0].result)
        except OSError as error:
            raise self._broke(error, spec) from error
        if step.state is not StepState.SUCCEEDED:
            return step
        first = dataclasses.replace(step.tasks[0], state=StepState.PENDING, cursor=None, done=0)
        return dataclasses.replace(step, state=StepState.PENDING, tasks=(first,))

    def _keep_saved(
        self, spec: StepSpec, saved: list[SavedStep], recorded: SavedStep | None, step: SavedStep | None
    ) -> SavedStep | None:
        """What its tasks returned before this run goes where that of the others goes, and is not held beside."""
        if recorded is None or step is None:
            return None
        saved.remove(recorded)
        tasks = []
        for task in step.tasks:
            if task.state is StepState.SUCCEEDED:
                _sound(self._results.keep(task.index, task.result, f"{self._job.type}.{spec.name}"))
            tasks.append(dataclasses.replace(task, result=None))
        return dataclasses.replace(step, tasks=tuple(tasks))

    def _dispatch(self, index: int, spec: StepSpec) -> Dispatch:
        request = dataclasses.replace(
            self._request(),
            step=spec.name,
            method=spec.method,
            step_index=index,
            results=self._results.inline,
            result_files=self._results.files,
            timeout=spec.timeout,
        )
        parallel = min(spec.parallel or self._parallel, self._parallel)
        return Dispatch(self._executor, request, parallel, self._results)

    def _request(self) -> TaskRequest:
        """What all tasks of the job run are asked alike."""
        return TaskRequest(
            job=self._job.id,
            project=self._job.project,
            type=self._job.type,
            implementation=self._registered.implementation,
            attempt=self._job.attempt,
            epoch=self._job.epoch,
            step="",
            method="",
            step_index=-1,
            index=0,
            key="",
            params=json.loads(self._job.params),
            environment=self._environment,
            isolation=self._registered.job_type.isolation,
            code=self._version.code,
        )

    async def _halted(self) -> Ending | None:
        """All tasks are dead. For good or for a restart: remove what was half made.

        When nothing was asked, the executor has stopped them, because it saw the worker's leases run out."""
        if self.stop_control.asked is StopRequest.DIE:
            return None
        if self._job.purpose != UNDO and self.stop_control.asked is not StopRequest.CANCEL:
            return Halted() if self.stop_control.asked is StopRequest.PAUSE else HandedBack()
        return Halted(undone=True, trouble=await self._undo(before=self._job.attempt + 1))

    async def _undo(self, *, before: int) -> str | None:
        """Undo the attempts that may have left something about; why it could not be done, for people."""
        if not self._dirty_since or self._dirty_since >= before:
            return None
        attempts, request = range(self._dirty_since, before), self._request()
        seconds = undo_seconds(self._registered.job_type, self._most_undo_seconds)
        trouble = await undo(self._executor, request, attempts, seconds, self._log, self.stop_control)
        if trouble is not None:
            return trouble
        self._dirty_since = 0
        await self._checkpoints.write(JobUndone())
        return None
