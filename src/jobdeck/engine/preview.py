"""Dry runs: a job type's own look at what a job would do, in a process that is killed when it takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo, Unavailable
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.outline import StepOutline
from jobdeck.core.preview import Preview
from jobdeck.core.registry import RegisteredType
from jobdeck.core.tasks import PLAN, PREVIEW, Executor, TaskRequest
from jobdeck.engine.fair_places import FairPlaces
from jobdeck.engine.hooks import run_to_end
from jobdeck.executors.machine.users import TaskUser
from jobdeck.executors.processes import ProcessExecutor

PATIENCE = 30.0
"""Seconds that a type's look may take."""
OUTLINE_PATIENCE = 10.0
"""Seconds until the outline of the steps must be there."""
AT_ONCE = 4
"""Looks at the same time; each is a process."""
OF_A_PROJECT = 2
"""Of these, those of one project."""
_OUTLINE: TypeAdapter[list[StepOutline]] = TypeAdapter(list[StepOutline])


@dataclass(frozen=True, slots=True)
class PreviewLook:
    """What a job type told. `error`: why it could not, which mostly is why the job would fail."""

    steps: tuple[StepOutline, ...] = ()
    preview: Preview | None = None
    error: ErrorInfo | None = None


class Previewer:
    """Asks job types what they would do. Every look has a process of its own, dead when the answer is given."""

    def __init__(
        self, memory_limit: int | None = None, patience: float = PATIENCE, user: TaskUser | None = None
    ) -> None:
        self._memory_limit = memory_limit
        self._user = user
        self._patience = patience
        self._places = FairPlaces(AT_ONCE, OF_A_PROJECT)

    async def look(
        self, registered: RegisteredType, params: Mapping[str, Any], project: str, environment: Environment
    ) -> PreviewLook:
        """The steps and, where the type can tell, the preview. Raises Unavailable when too many look already."""
        request = _outline_request(registered, params, project, environment)
        async with self._place(project), self._process() as executor:
            outlined = await run_to_end(executor, replace(request, timeout=min(OUTLINE_PATIENCE, self._patience)))
            if not isinstance(outlined, Succeeded):
                return PreviewLook(error=_why(outlined))
            steps = tuple(_OUTLINE.validate_python(outlined.result))
            if not registered.job_type.has_preview():
                return PreviewLook(steps)
            seen = await run_to_end(executor, replace(request, step=PREVIEW, method=PREVIEW, timeout=self._patience))
        if not isinstance(seen, Succeeded):
            return PreviewLook(steps, error=_why(seen))
        try:
            return PreviewLook(steps, None if seen.result is None else Preview.model_validate(seen.result))
        except ValidationError as error:
            wrong = f"The job type '{registered.name}' made a preview that is none: {error.errors()[0]['msg']}."
            return PreviewLook(
                steps, error=ErrorInfo("unexpected_error", wrong, "Report it to those who wrote the job type.")
            )

    async def ask(self, request: TaskRequest) -> Outcome:
        """Any other look of a task's code at something, which has a process of its own, too."""
        async with self._place(request.project), self._process() as executor:
            return await run_to_end(executor, request)

    @asynccontextmanager
    async def _place(self, project: str) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._places.place(project, self._patience))
            except TimeoutError as error:
                raise Unavailable("Too many dry runs are made just now.", hint="Try again in a moment.") from error
            yield

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Executor]:
        """Also for types that run in threads: only a process can be killed."""
        executor = ProcessExecutor(1, memory_limit=self._memory_limit, user=self._user)
        try:
            yield executor
        finally:
            await asyncio.shield(executor.aclose())


def _outline_request(
    registered: RegisteredType, params: Mapping[str, Any], project: str, environment: Environment
) -> TaskRequest:
    """Belongs to no job."""
    return TaskRequest(
        job=0, project=project, type=registered.name, implementation=registered.implementation, attempt=1, epoch=0,
        step=PLAN, method=PLAN, step_index=0, index=0, key="", params=dict(params), environment=environment,
    )  # fmt: skip


def _why(outcome: Outcome) -> ErrorInfo:
    match outcome:
        case Failed(error) if error.code == "timeout":
            return ErrorInfo("timeout", "The look took too long and was stopped.", "The job itself may take its time.")
        case Failed(error):
            return error
        case Lost(reason):
            return ErrorInfo("dry_run_died", f"The process that looked has died: {reason}.")
        case Stopped() | Succeeded():
            return ErrorInfo("dry_run_died", "The process that looked was stopped.", "Try again.")
