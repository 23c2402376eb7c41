"""The timeline of a job: what it, its attempts, steps and tasks did when."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from jobdeck.core.life.states import State, StepState
from jobdeck.wire.base import Instant, Response
from jobdeck.wire.jobs import Attempt


class Bar(Response):
    """Something with a beginning and an end; an end that is null has not come yet."""

    model_config = ConfigDict(extra="allow", defer_build=True, populate_by_name=True)

    start: Instant | None = Field(default=None, alias="from")
    end: Instant | None = Field(default=None, alias="to")


class SpanView(Bar):
    """A time in which a job, or a step, was so."""

    kind: Literal["waiting", "running", "pausing", "paused", "canceling", "failed"]
    attempt: int = 1
    because: str = Field(default="", description="The kind of the event with which it began.")


class TaskBar(Bar):
    """A task that has begun."""

    index: int
    key: str = ""
    state: StepState
    lane: int = Field(default=0, description="Bars of one lane do not overlap.")
    seconds: float = 0.0
    attempts: int = 0
    host: str | None = None
    error_code: str | None = None
    error_message: str | None = None


class Density(Response):
    """Many tasks over time, in parts of equal length."""

    start: Instant
    bucket_seconds: float
    running: list[int] = Field(default_factory=list, description="Tasks that were at work in the part, oldest first.")
    ended: list[int] = Field(default_factory=list, description="Tasks that ended in it, failed ones included.")
    failed: list[int] = Field(default_factory=list)


class TaskOverview(Response):
    """The tasks of a step: each of them where they are few, else how many were at work when."""

    count: int = 0
    counts: dict[StepState, int] = Field(default_factory=dict, description="By state; states without tasks are absent.")
    lanes: int = 0
    items: list[TaskBar] = Field(default_factory=list, description="Those that have begun; empty where `density` is.")
    density: Density | None = Field(default=None, description="Where there are more than 200 tasks.")
    slowest: list[TaskBar] = Field(default_factory=list, description="The five that took longest.")
    failed: list[TaskBar] = Field(default_factory=list, description="The first five that are failed.")


class StepBar(Bar):
    """A step of the attempt that is shown. Its spans are those of the job between its first start and its last end."""

    index: int
    name: str
    state: StepState
    weight: float = 1.0
    spans: list[SpanView] = Field(default_factory=list)
    tasks: TaskOverview = Field(default_factory=TaskOverview)


class PlannedStep(Response):
    """A step that has not begun."""

    index: int
    name: str


class Timeline(Bar):
    """A job from its creation to its end, or until `now`."""

    job: int
    state: State
    attempt: int = Field(description="Whose steps are shown.")
    now: Instant
    spans: list[SpanView] = Field(default_factory=list, description="Of all attempts, oldest first.")
    attempts: list[Attempt] = Field(default_factory=list)
    steps: list[StepBar] = Field(default_factory=list, description="The first 500 that have begun.")
    step_count: int = Field(default=0, description="How many steps have begun.")
    planned: list[PlannedStep] = Field(
        default_factory=list,
        description="The steps after those, of the present attempt of a job that has not succeeded. Empty where the "
        "type does not tell.",
    )
