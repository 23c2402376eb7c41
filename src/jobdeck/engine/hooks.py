"""Asking job types: their own code runs in a few warm processes, each of which is killed when it does not answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobdeck.core.environment import Environment
from jobdeck.core.errors import ErrorInfo, InvalidInput, JobdeckError, Unavailable
from jobdeck.core.hooks.answers import Accepted
from jobdeck.core.jobtype import StepSpec
from jobdeck.core.outcome import Failed, Lost, Outcome, Stopped, Succeeded
from jobdeck.core.registry import RegisteredType
from jobdeck.core.tasks import ACCEPT, FITS, SPLIT, STEPS, Executor, TaskRequest
from jobdeck.engine.fair_places import FairPlaces
from jobdeck.executors.hooks import INVALID_PARAMS, accepted_from, planned_from, refusal_of
from jobdeck.executors.machine.users import TaskUser
from jobdeck.executors.processes import ProcessExecutor

WAIT_SECONDS = 30.0
"""Seconds that a submission waits for a process to look at it."""
MORE_SECONDS = 0.1
"""Seconds that each further job of a batch adds to what its check may take, up to `LONGEST` times that of one."""
LONGEST = 6
MEMORY = 2 * 1024**3
"""Bytes of data that a process may have, where tasks have no limit of their own."""


class CheckTimedOut(InvalidInput, code="check_timed_out"):
    """A job type's own check of a submission took too long and was killed."""


class ChecksBusy(Unavailable, code="checks_busy"):
    """Too many submissions of the project are being checked."""


class JobTypeBroke(InvalidInput):
    """The type's own code raised something unforeseen while it looked at the parameters."""


class HookFailed(JobdeckError, code="hook_failed"):
    """What a type was asked for did not come; `info` says why, as a job's error."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, hint=info.hint)
        self.info = info


class HooksClosed(Exception):
    """The processes are being ended, because the server is."""


class RefusedAt(Exception):
    """The type refuses one job of several. `faults`: parameters that do not fit, as pydantic tells them."""

    def __init__(self, index: int, error: JobdeckError | None, faults: list[Any]) -> None:
        super().__init__(index)
        self.index = index
        self.error = error
        self.faults = faults


@dataclass(frozen=True, slots=True)
class WantedHook:
    """What a submission asks a type about."""

    params: Mapping[str, Any]
    description: str | None = None


class HookProcesses:
    """Makes and closes the processes; to be used in one event loop. Fair between projects: none can hold them all."""

    def __init__(
        self, size: int = 4, *, check_seconds: float = 10.0, plan_seconds: float = 30.0,
        memory_limit: int | None = None, user: TaskUser | None = None, held: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """`held`: see ProcessExecutor."""
        self._executor: Executor = ProcessExecutor(size, memory_limit=memory_limit or MEMORY, user=user, held=held)
        self._places = FairPlaces(size, max(1, size // 2))
        self._check_seconds = check_seconds
        self._plan_seconds = plan_seconds

    async def accept(
        self, registered: RegisteredType, wanted: Sequence[WantedHook], project: str, environment: Environment
    ) -> list[Accepted]:
        """What the type says of each; raises RefusedAt, CheckTimedOut, JobTypeBroke, ChecksBusy."""
        answers = await self._look(registered, ACCEPT, wanted, project, environment)
        return [accepted_from(one) for one in answers]

    async def fits(self, registered: RegisteredType, params: Mapping[str, Any], project: str) -> None:
        """Whether the parameters fit the type's model; raises what `accept` raises."""
        await self._look(registered, FITS, [WantedHook(params)], project, Environment(project=project))

    async def plan(self, registered: RegisteredType, params: str, project: str, code: str = "") -> list[StepSpec]:
        """The type's steps; raises HookFailed, HooksClosed. `code`: the fingerprint of the code that is to say it."""
        return planned_from(await self._planning(registered, STEPS, params, project, None, code))

    async def split(
        self, registered: RegisteredType, params: str, project: str, index: int, code: str = ""
    ) -> list[str]:
        """The parts, as JSON, of the step at `index`, which is split by its parameters; raises as `plan` does."""
        parts: list[str] = await self._planning(registered, SPLIT, params, project, index, code)
        return parts

    async def aclose(self) -> None:
        await self._executor.aclose()

    async def _look(
        self,
        registered: RegisteredType,
        method: str,
        wanted: Sequence[WantedHook],
        project: str,
        environment: Environment,
    ) -> list[dict[str, Any]]:
        seconds = min(self._check_seconds + MORE_SECONDS * (len(wanted) - 1), self._check_seconds * LONGEST)
        part: list[Any] = [{"params": dict(one.params), "description": one.description} for one in wanted]
        request = _request(registered, method, {}, project, environment, part, seconds)
        try:
            async with self._places.place(project, WAIT_SECONDS):
                outcome = await run_to_end(self._executor, request)
        except TimeoutError as error:
            raise ChecksBusy(
                "Other submissions of this project are still being checked.",
                hint="Try again in a moment; the checks of one project share a few processes.",
            ) from error
        answer: Any = _looked(outcome, registered.name, seconds)
        if "broke" in answer:
            raise RefusedAt(answer["index"], broke(registered.name, answer["broke"]), [])
        if "refused" in answer:
            said = answer["refused"]
            if said["code"] == INVALID_PARAMS and "errors" in said:
                raise RefusedAt(answer["index"], None, said["errors"])
            raise RefusedAt(answer["index"], refusal_of(said), [])
        found: list[dict[str, Any]] = answer["answers"]
        return found

    async def _planning(
        self, registered: RegisteredType, method: str, params: str, project: str, part: int | None, code: str
    ) -> Any:
        environment = Environment(project=project)
        seconds = self._plan_seconds
        request = _request(registered, method, json.loads(params), project, environment, part, seconds, code)
        async with self._places.place(project):
            outcome = await run_to_end(self._executor, request)
        match outcome:
            case Succeeded(result):
                return result
            case Stopped():
                raise HooksClosed
            case Failed() | Lost():
                raise HookFailed(_why_no_plan(outcome, registered.name, self._plan_seconds))


async def run_to_end(executor: Executor, request: TaskRequest) -> Outcome:
    """Run it, heeding nothing that it prints; whoever is canceled meanwhile leaves it dead."""
    task = await executor.start(request)
    try:
        async for _ in task.messages():
            pass
        return await task.outcome()
    except BaseException:
        await asyncio.shield(task.kill())
        raise


def _request(
    registered: RegisteredType, method: str, params: Any, project: str, environment: Environment, part: Any,
    seconds: float, code: str = "",
) -> TaskRequest:  # fmt: skip
    """Belongs to no job."""
    return TaskRequest(
        job=0, project=project, type=registered.name, implementation=registered.implementation, attempt=1, epoch=0,
        step=method, method=method, step_index=0, index=0, key="", params=params, part=part, environment=environment,
        timeout=seconds, code=code,
    )  # fmt: skip


def _looked(outcome: Outcome, name: str, seconds: float) -> Any:
    match outcome:
        case Succeeded(result):
            return result
        case Failed(error) if error.code == "timeout":
            raise CheckTimedOut(
                f"The job type '{name}' took longer than {seconds:g} seconds to check this and was stopped.",
                field="type",
                hint="Nothing was accepted. Look at what it checks; the setting check_seconds bounds it.",
            )
        case Failed(error):
            raise broke(name, error.message)
        case Lost(reason):
            raise broke(name, reason)
        case Stopped():
            raise Unavailable("The server is being stopped.", hint="Try again in a moment.")


def broke(name: str, why: str) -> JobTypeBroke:
    """The refusal of a request upon which the type's own code broke."""
    return JobTypeBroke(
        f"The job type '{name}' failed on these parameters: {why}",
        field="type",
        hint="Report it to those who wrote the job type.",
    )


def _why_no_plan(outcome: Failed | Lost, name: str, seconds: float) -> ErrorInfo:
    place = f"{name}.plan"
    match outcome:
        case Failed(error) if error.code == "timeout":
            return ErrorInfo(
                "plan_timed_out",
                f"The job type '{name}' took longer than {seconds:g} seconds to plan its steps and was stopped.",
                f"`plan` and `each` of '{name}' are to be quick; the setting plan_seconds bounds them. Then resume.",
                retryable=False,
                place=place,
            )
        case Failed(error):
            return error.at(place)
        case Lost(reason):
            text = f"The process in which the job type '{name}' planned its steps has died: {reason}."
            return ErrorInfo("plan_died", text, "Report it to those who wrote the job type.", place=place)
