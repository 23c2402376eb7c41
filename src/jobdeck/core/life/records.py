"""What a running attempt has to say, as values: the only writes it makes, each fenced by its job's epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.endings import Ending
from jobdeck.core.life.states import StepState
from jobdeck.core.tasks import Touched


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task of a step; `part` is JSON text."""

    index: int
    key: str
    part: str | None = None


@dataclass(frozen=True, slots=True)
class StepOpened:
    """The step began `ago` µs before this is recorded; its tasks are known. Opening it again changes nothing, unless it
    says how many tasks there are now: then `tasks` take the places of others, and places from `count` on are gone."""

    index: int
    name: str
    weight: float
    tasks: tuple[PlannedTask, ...]
    dirties: bool = False
    """From here on the attempt may leave half made things about."""
    ago: int = 0
    count: int | None = None
    code: str | None = None
    """The fingerprint of the code that the attempt runs, where it is told apart."""


@dataclass(frozen=True, slots=True)
class StepClosed:
    """The step ended in `state`."""

    index: int
    state: StepState
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class _OfTask:
    """What is said of one task: the places of its step and of itself."""

    step: int
    index: int


@dataclass(frozen=True, slots=True)
class TaskStarted(_OfTask):
    """A run of the task began on `host`, `ago` µs before this is recorded."""

    host: str
    ago: int = 0


@dataclass(frozen=True, slots=True)
class TaskAdvanced(_OfTask):
    """Progress and checkpoint of a running task; None leaves what was recorded. `cursor` is JSON text."""

    cursor: str | None = None
    done: int | None = None
    total: int | None = None
    unit: str | None = None
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class TaskEnded(_OfTask):
    """`succeeded` with its result (JSON text), `failed` with its error, or `pending`: stopped, to be run again."""

    state: StepState
    result: str | None = None
    error: ErrorInfo | None = None
    touched: tuple[Touched, ...] = ()
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class JobAdvanced:
    """The job's progress as shown in lists."""

    fraction: float
    done: int
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class JobUndone:
    """The leftovers of attempts before this one are gone."""


@dataclass(frozen=True, slots=True)
class JobLeft:
    """The run on this worker ended; gives the lease back. `warnings`: of the run itself, not of a task."""

    ending: Ending
    warnings: int = 0


Record = StepOpened | StepClosed | TaskStarted | TaskAdvanced | TaskEnded | JobAdvanced | JobUndone | JobLeft


@dataclass(frozen=True, slots=True)
class SavedTask:
    """A task as recorded; JSON as text."""

    index: int
    key: str
    state: StepState
    part: str | None
    cursor: str | None
    result: str | None
    tries: int
    """Failures in a row since it was planned or its job was resumed."""
    failures: int
    """Failures in the life of the job."""
    done: int = 0
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class SavedStep:
    """A step as recorded in the present attempt, with its tasks in order."""

    index: int
    name: str
    state: StepState
    tasks: tuple[SavedTask, ...]


class Checkpoints(Protocol):
    """Where a runner keeps what has been done."""

    async def load(self) -> list[SavedStep]:
        """The steps of the present attempt, in order."""
        ...

    async def earlier_failures(self, step: int) -> dict[int, int]:
        """Failures by task index in earlier attempts of the job."""
        ...

    async def write(self, *records: Record) -> None:
        """Record, durably and in order; raises LeaseLost when the epoch is old, and then nothing was recorded."""
        ...
