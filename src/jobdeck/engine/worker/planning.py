"""Which steps a job has and into which tasks they split, as its type says: foreign code, so in a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from os.path import commonprefix
from typing import Any, TypeVar

from jobdeck.core.errors import ErrorInfo, JobdeckError
from jobdeck.core.hooks.answers import checked_plan, parts_of, parts_of_result
from jobdeck.core.hooks.foreign import plans_here, splits_here
from jobdeck.core.jobtype import JobType, StepSpec
from jobdeck.core.life.records import SavedStep, SavedTask
from jobdeck.core.life.states import StepState
from jobdeck.core.registry import RegisteredType
from jobdeck.core.values import clip
from jobdeck.engine.hooks import HookFailed, HookProcesses, HooksClosed
from jobdeck.engine.worker.results import Results
from jobdeck.engine.worker.stop_control import StopControl, StopRequest
from jobdeck.executors.harness import describe
from jobdeck.store.running.leases import Assignment

T = TypeVar("T")
MAX_KEY = 200
_NAMES = ("key", "name", "file", "path", "url", "id")
"""Fields of a part that name it, the one that says most first."""


@dataclass(frozen=True, slots=True)
class Version:
    """The code that an attempt runs: its fingerprint, whether this process has loaded other code than that, and the
    file of it that was changed last."""

    code: str = ""
    edited: bool = False
    newest: str = ""


LOADED = Version()
"""Code that is not told apart."""


class PlanChanged(JobdeckError, code="plan_changed"):
    """The type's steps are others than those this attempt began with."""


class Interrupted(Exception):
    """Something was asked of the job, or the worker ends, before its type had answered; its process is dead."""


class Planner:
    """Asks one job's type: in this process where that has nothing of its own to ask, and in tests, without `hooks`."""

    def __init__(
        self, job: Assignment, registered: RegisteredType, hooks: HookProcesses | None, stop_control: StopControl,
        version: Version = LOADED,
    ) -> None:  # fmt: skip
        self._job = job
        self._registered = registered
        self._hooks = hooks
        self._stop_control = stop_control
        self._version = version
        self._made: JobType | None = None

    async def plan(self) -> list[StepSpec] | ErrorInfo:
        """The steps, or why there are none, which fails this job and nothing else. Raises Interrupted."""
        kind = self._registered.job_type
        if self._hooks is not None and (self._version.edited or not plans_here(kind)):
            return await self._asked(
                self._hooks.plan(self._registered, self._job.params, self._job.project, self._version.code)
            )
        try:
            made = self._instance()
            if type(made).plan is JobType.plan:  # the steps of a class were checked when it was loaded
                return made.plan()
            return checked_plan(kind, made.plan())
        except (Exception, SystemExit) as error:  # noqa: BLE001  (foreign code)
            return describe(error, f"{self._job.type}.plan")

    async def split(self, index: int, spec: StepSpec, results: Results) -> tuple[SavedTask, ...] | ErrorInfo:
        """The tasks of a step that begins, or why there are none. Raises Interrupted."""
        parts: Sequence[str | None] | ErrorInfo
        if callable(spec.each) and self._hooks is not None and not splits_here(self._registered.job_type, spec):
            parts = await self._asked(
                self._hooks.split(
                    self._registered, self._job.params, self._job.project, index, self._version.code
                )
            )  # fmt: skip
        else:
            parts = self._parts(spec, results)
        if isinstance(parts, ErrorInfo):
            return parts.at(f"{self._job.type}.{spec.name}")
        return tuple(
            SavedTask(i, key, StepState.PENDING, part, None, None, 0, 0)
            for i, (key, part) in enumerate(zip(task_keys(spec.name, parts), parts, strict=True))
        )

    async def split_again(self, index: int, spec: StepSpec, step: SavedStep, results: Results) -> SavedStep | ErrorInfo:
        """The step after what it is split by was looked at again: tasks whose part is the same are as they were."""
        fresh = await self.split(index, spec, results)
        if isinstance(fresh, ErrorInfo):
            return fresh
        known = {task.index: task for task in step.tasks}
        tasks = tuple(known[t.index] if _same(known.get(t.index), t) else t for t in fresh)
        return step if tasks == step.tasks else replace(step, state=StepState.RUNNING, tasks=tasks)

    def changed(self, plan: list[StepSpec], saved: list[SavedStep]) -> ErrorInfo | None:
        """Steps that this attempt has begun and that the type, as it is now, does not have in their places."""
        for step in saved:
            now = plan[step.index].name if step.index < len(plan) else None
            if now != step.name:
                there = f"is '{now}' now" if now is not None else "is not there any more"
                text = f"Step {step.index} was '{step.name}' when this attempt began and {there}."
                return describe(PlanChanged(text, hint="Restart the job."), f"{self._job.type}.plan")
        return None

    def _parts(self, spec: StepSpec, results: Results) -> Sequence[str | None] | ErrorInfo:
        try:
            if spec.each is None:
                return [None]
            if isinstance(spec.each, str):
                return parts_of_result(spec, results.of(spec.each))
            return parts_of(self._job.type, spec, self._instance().params)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (foreign code)
            return describe(error, f"{self._job.type}.{spec.name}")

    def _instance(self) -> JobType:
        if self._made is None:
            kind = self._registered.job_type
            self._made = kind(kind.Params.model_validate_json(self._job.params))
        return self._made

    async def _asked(self, answer: Coroutine[Any, Any, T]) -> T | ErrorInfo:
        """The answer of a process, unless something is asked of the job before it comes."""
        answering = asyncio.ensure_future(answer)
        asked = asyncio.ensure_future(self._stop_control.changed.wait())
        try:
            await asyncio.wait({answering, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() or self._stop_control.asked is StopRequest.DIE:
                raise Interrupted
            return answering.result()
        except HookFailed as failed:
            return failed.info
        except HooksClosed as closed:
            raise Interrupted from closed
        finally:
            asked.cancel()
            answering.cancel()
            await asyncio.wait({answering})
            if not answering.cancelled():
                answering.exception()


def _same(before: SavedTask | None, now: SavedTask) -> bool:
    return before is not None and (before.key, before.part) == (now.key, now.part)


def task_keys(step: str, parts: Sequence[str | None]) -> list[str]:
    """A key for each part (JSON text), which people see: what it is called, without the folder that all share; else the
    step's name and the task's number."""
    names = [_name(part) for part in parts]
    folder = _shared_folder([name for name in names if name])
    return [_clipped(name.removeprefix(folder)) if name else f"{step}[{number}]" for number, name in enumerate(names)]


def _name(part: str | None) -> str:
    if part is None or not part.startswith(('"', "{")):
        return ""
    told: Any = json.loads(part)
    if isinstance(told, str):
        return told
    found = (told.get(field) for field in _NAMES)
    return next((str(value) for value in found if value and isinstance(value, str | int)), "")


def _shared_folder(names: Sequence[str]) -> str:
    """The beginning of all names up to the last slash before they differ, and before their last parts."""
    beginning: str = commonprefix([name[: name.rstrip("/").rfind("/") + 1] for name in names])  # noqa: RUF071 – up to a slash, below
    return beginning[: beginning.rfind("/") + 1]


def _clipped(key: str) -> str:
    """The end of a path tells more than its beginning."""
    key = key.replace("\0", "\N{SYMBOL FOR NULL}")
    key = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in key)
    return clip(key, MAX_KEY) if "/" not in key or len(key) <= MAX_KEY else f"…{key[-MAX_KEY + 1 :]}"
