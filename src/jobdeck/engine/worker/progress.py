"""Progress of one job run: what the tasks say, added up to steps and to the job; told at most twice a second, and what
was held back a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jobdeck.core.jobtype import StepSpec
from jobdeck.core.life.progress import StepProgress, fraction_of, job_fraction
from jobdeck.core.life.records import JobAdvanced, SavedStep
from jobdeck.core.life.states import StepState
from jobdeck.core.tasks import Progressed

TELL_SECONDS = 0.5


@dataclass(slots=True)
class TaskMeter:
    """Units of one task; a finished one counts as whole whatever it said."""

    done: int = 0
    total: int | None = None
    unit: str = ""
    ended: bool = False

    @property
    def fraction(self) -> float:
        return 1.0 if self.ended else fraction_of(self.done, self.total)


@dataclass(slots=True)
class StepMeter:
    """Units of one step: those of its tasks, all of which count alike."""

    weight: float
    tasks: dict[int, TaskMeter] = field(default_factory=dict)
    ended: bool = False

    @property
    def fraction(self) -> float:
        if self.ended:
            return 1.0
        return sum(t.fraction for t in self.tasks.values()) / len(self.tasks) if self.tasks else 0.0


class ProgressTracker:
    """Knows how far the job is."""

    def __init__(self, plan: list[StepSpec], saved: list[SavedStep], fraction: float) -> None:
        self._steps = [StepMeter(spec.weight) for spec in plan]
        self._shown = fraction
        self._told = 0.0
        self.held = False
        """Whether there was something to tell when it was not due."""
        for step in saved:
            self.open(step)

    def open(self, step: SavedStep) -> None:
        """A step's tasks are known, with what they had done before."""
        tracker = self._steps[step.index]
        tracker.ended = step.state is StepState.SUCCEEDED
        tracker.tasks = {
            t.index: TaskMeter(t.done, t.total, t.unit, t.state is StepState.SUCCEEDED) for t in step.tasks
        }

    def advance(self, step: int, task: int, progressed: Progressed) -> None:
        """What a task said; its units never go back."""
        tracker = self._steps[step].tasks[task]
        tracker.done = max(tracker.done, progressed.done)
        tracker.total = progressed.total if progressed.total is not None else tracker.total
        tracker.unit = progressed.unit or tracker.unit

    def end_task(self, step: int, task: int) -> None:
        self._steps[step].tasks[task].ended = True

    def end_step(self, step: int) -> None:
        self._steps[step].ended = True

    def due(self) -> bool:
        """Whether it is time to tell; asked before each telling."""
        self.held = self.due_in > 0
        if not self.held:
            self._told = asyncio.get_running_loop().time()
        return not self.held

    @property
    def due_in(self) -> float:
        """Seconds; 0 or less when it is time to tell."""
        return self._told + TELL_SECONDS - asyncio.get_running_loop().time()

    def _told_by(self, step: int) -> StepMeter:
        """The present step, or the last one before it that counts in units."""
        for tracker in reversed(self._steps[: step + 1]):
            if any(t.unit or t.total for t in tracker.tasks.values()):
                return tracker
        return self._steps[step]

    def reading(self, step: int) -> JobAdvanced:
        """The job's progress, with the units of the present step if it has any."""
        self._shown = job_fraction((StepProgress(s.weight, s.fraction) for s in self._steps), before=self._shown)
        tasks = self._told_by(step).tasks.values()
        totals = [t.total for t in tasks]
        known = [t for t in totals if t is not None]
        unit = next((t.unit for t in tasks if t.unit), "")
        return JobAdvanced(
            self._shown, sum(t.done for t in tasks), sum(known) if len(known) == len(totals) else None, unit
        )


class DelayedFlush:
    """Calls `tell` when something held back is due. `tell` answers with the seconds until more is, or with None.

    A timer and no task, because most of what is held is told by what follows it."""

    def __init__(self, tell: Callable[[], Awaitable[float | None]], failed: Callable[[], None]) -> None:
        self._tell = tell
        self._failed = failed
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When the timer rings; uvloop's own does not always know."""
        self._telling: asyncio.Task[None] | None = None
        self._next: float | None = None
        """When what came during a telling is due: the telling may have looked before it came."""

    def within(self, seconds: float) -> None:
        """Something is held, and due in `seconds`."""
        if self._closed:
            return
        due = asyncio.get_running_loop().time() + seconds
        if self._telling is not None:
            self._next = due if self._next is None else min(self._next, due)
            return
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = asyncio.get_running_loop().call_at(due, self._begin)

    async def close(self) -> None:
        """Nothing more is to be told from here on; raises what a telling raised."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            await self._telling

    def _begin(self) -> None:
        self._timer = None
        self._telling = asyncio.create_task(self._run(), name="delayed flush")

    async def _run(self) -> None:
        try:
            more = await self._tell()
        except BaseException:
            self._failed()
            raise
        self._telling = None
        if more is not None:
            self.within(more)
        if self._next is not None:
            came, self._next = self._next, None
            self.within(max(0.0, came - asyncio.get_running_loop().time()))
