"""The steps that a job would have, as its type plans them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from jobdeck.core.hooks.answers import checked_plan, parts_of
from jobdeck.core.jobtype import JobType, StepSpec


class StepOutline(BaseModel):
    """One step of a job that was not submitted yet."""

    index: int
    name: str
    each: str | None = Field(
        default=None,
        description="Absent: one task. `parameters`: a task per item of them. Else the step whose result splits it.",
    )
    tasks: int | None = Field(default=None, description="How many tasks, where it is known beforehand.")
    weight: float = Field(default=1.0, description="Its part of the progress, relative to the other steps'.")
    retries: int = 0
    timeout: float | None = Field(default=None, description="Seconds that one task may take.")
    parallel: int | None = Field(default=None, description="Tasks at the same time, at most.")


def outline(job: JobType) -> list[StepOutline]:
    """The steps of `job`, in order. Runs the type's own code: not for the server's process."""
    return [_outline(index, spec, job) for index, spec in enumerate(checked_plan(type(job), job.plan()))]


def _outline(index: int, spec: StepSpec, job: JobType) -> StepOutline:
    each: str | None = None
    tasks: int | None = 1
    if callable(spec.each):
        each, tasks = "parameters", len(parts_of(job.type_name(), spec, job.params))
    elif spec.each is not None:
        each, tasks = spec.each, None
    return StepOutline(
        index=index,
        name=spec.name,
        each=each,
        tasks=tasks,
        weight=spec.weight,
        retries=spec.retry.attempts - 1,
        timeout=spec.timeout,
        parallel=spec.parallel,
    )
