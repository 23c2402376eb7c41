"""Steps and tasks of a job, and the lines they log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from jobdeck.core.life.states import StepState
from jobdeck.wire.base import Instant, Page, Response
from jobdeck.wire.jobs import ErrorView, ProgressView

LogLevel = Literal["debug", "info", "warning", "error", "stdout", "stderr"]


class Task(Response):
    """One unit of a step's work, run as a whole on one worker."""

    index: int
    key: str = ""
    state: StepState
    host: str | None = None
    attempts: int = Field(default=0, description="How often it was started.")
    done: int = Field(default=0, description="Units done of `total`.")
    total: int | None = None
    unit: str = ""
    started_at: Instant | None = None
    ended_at: Instant | None = None
    rows: int | None = None
    bytes: int | None = None
    error: ErrorView | None = None


class Step(Response):
    """One step of one attempt, with its tasks."""

    index: int
    name: str
    state: StepState
    attempt: int = 1
    started_at: Instant | None = None
    ended_at: Instant | None = None
    progress: ProgressView = Field(default_factory=ProgressView)
    error: ErrorView | None = None
    tasks: list[Task] = Field(default_factory=list, description="The first thousand.")
    task_count: int = Field(default=0, description="How many tasks it has.")


class LogLine(Response):
    """A line that a task logged or printed, or that the engine wrote about it."""

    at: Instant
    level: str = Field(default="info", description="`debug`, `info`, `warning`, `error`, `stdout` or `stderr`.")
    step: str | None = None
    task: int | None = None
    text: str
    cursor: str | None = Field(
        default=None, description="As `after` it goes on behind this line, as `before` it tells what led up to it."
    )
    matches: list[tuple[int, int]] = Field(
        default_factory=list, description="With `q`: where it stands in the text, from and up to, in characters."
    )


MAX_LOG_LINES = 2000
"""Lines of one answer: about those of a stored piece of a log, which is unpacked anew for each answer."""


class LogPage(Page[LogLine]):
    """Lines of a log. One answer looks through a part of it only, so that it may have few lines, or none, and more
    follow: go on with `next` until it is null, or for what there is now until it is the `after` that was sent."""

    earlier: str | None = Field(
        default=None,
        description="With `tail` or `before`: as `before` it goes on in front of all that was looked through; null "
        "where nothing is in front.",
    )
