"""What travels between a runner and the process that runs a task: one request, then messages, then an outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from jobdeck.core.environment import Environment
from jobdeck.core.outcome import Outcome
from jobdeck.core.values import Json

UNDO = "undo"
"""The method name of the request that removes what an attempt half made."""
PLAN = "plan"
"""The method name of the request that asks for the outline of the steps, without a job."""
PREVIEW = "preview"
"""The method name of the request that asks what a job would do, without a job."""
ACCEPT = "hook.accept"
"""Asks a type's `check`, `claims`, `subject`, `description`; `part` lists parameters. No method has such a name."""
FITS = "hook.fits"
"""Asks whether parameters are accepted by the type's model."""
STEPS = "hook.steps"
"""Asks for the steps with all that running them needs."""
SPLIT = "hook.split"
"""Asks for the parts of the step whose place is `part`."""


@dataclass(frozen=True, slots=True)
class ResultFile:
    """Where a step's result lies as JSON, on the machine that runs the task."""

    path: str


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """Everything a task needs to run, wherever that is. `implementation` is `module:Class` of the job type."""

    job: int
    project: str
    type: str
    implementation: str
    attempt: int
    epoch: int
    step: str
    method: str
    step_index: int
    index: int
    """The task's place within its step."""
    key: str
    params: Json
    part: Json = None
    results: Mapping[str, Json] = field(default_factory=dict)
    """Earlier steps' results by step name; a list, in task order, for a step that was split with `each`. Small ones."""
    result_files: Mapping[str, ResultFile] = field(default_factory=dict)
    """The others: read when they are asked for."""
    cursor: Json = None
    """What the task last gave to `checkpoint`, or None when it starts from the beginning."""
    failures: int = 0
    """How often this task has failed in the life of the job, earlier attempts included."""
    environment: Environment = field(default_factory=Environment)
    isolation: Literal["process", "thread", "aside"] = "process"
    """`aside`: a process that no step of a job can take, for what must not wait behind them."""
    timeout: float | None = None
    code: str = ""
    """The fingerprint of the job type's code with which the attempt began; a process that has loaded other code refuses
    the task. Empty: any code."""


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The task can go on from `cursor` if it is stopped now."""

    cursor: Json


@dataclass(frozen=True, slots=True)
class Progressed:
    """Units done of units planned by this task; `rows` and `bytes` are what it moved so far."""

    done: int
    total: int | None = None
    unit: str = ""
    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that the task logged or printed. `at` is µs; `level` is `debug|info|warning|error|stdout|stderr`."""

    at: int
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Touched:
    """The task read (`input`) or wrote (`output`) an object or file; recorded as lineage when the task succeeds."""

    direction: Literal["input", "output"]
    object: str
    version: str | None = None
    rows: int | None = None
    bytes: int | None = None
    name: str | None = None
    """What people call it, where that is not `object`: the name that a file was uploaded under."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something to tell a person, although the job may succeed; counts into the job's warnings."""

    text: str
    count: int = 1


TaskMessage = Checkpointed | Progressed | Printed | Touched | Warned


class TaskRun(Protocol):
    """A task under way."""

    @property
    def host(self) -> str:
        """Where it runs, for people: host name and process, `db1:4711`."""
        ...

    def messages(self) -> AsyncIterator[TaskMessage]:
        """What the task says, in order; ends when the task has ended and its process is known to be dead or idle."""
        ...

    async def outcome(self) -> Outcome:
        """How it ended; to be asked after `messages` ended. Never raises for what the task did."""
        ...

    def stop(self) -> None:
        """Ask it, politely, to stop at its next checkpoint. May be repeated."""
        ...

    async def kill(self) -> None:
        """Kill it with all it started; returns when it is dead and reaped (a thread: when it has returned)."""
        ...


class Executor(Protocol):
    """Runs tasks somewhere. All executors pass the same conformance suite (`executors/testing.py`)."""

    async def start(self, request: TaskRequest) -> TaskRun:
        """Start a task, waiting for a free place if need be."""
        ...

    def extend(self, deadline: float) -> None:
        """All leases of this worker hold until `deadline` (`time.monotonic()`); a process that sees it pass dies.

        Called from the thread that renews leases; must not block."""
        ...

    @property
    def shortage(self) -> str | None:
        """What the system has none of just now, so that tasks wait for it; for people. None while nothing is short."""
        ...

    async def aclose(self) -> None:
        """Kill and reap whatever still runs."""
        ...


class Run(Protocol):
    """What task code gets: its `run` argument."""

    job: int
    attempt: int
    epoch: int
    step: str
    task: int
    key: str
    failures: int
    environment: Environment
    cursor: Any

    def result(self, step: str) -> Any:
        """What an earlier step returned, in its declared type; a list for a step that was split."""
        ...

    def checkpoint(self, cursor: Json) -> None:
        """Say that the work up to `cursor` need not be done again. If a stop was asked for, the task ends here."""
        ...

    def progress(
        self, done: int, total: int | None = None, unit: str = "", *, rows: int | None = None, bytes: int | None = None
    ) -> None: ...
    def log(self, text: str, level: str = "info") -> None: ...
    def warn(self, text: str, count: int = 1) -> None: ...
    def reads(
        self,
        ref: object,
        *,
        version: object = None,
        rows: int | None = None,
        bytes: int | None = None,
        name: str | None = None,
    ) -> None:
        """`name`: what people call it, where that is not `ref`."""
        ...

    def writes(
        self, ref: object, *, version: object = None, rows: int | None = None, bytes: int | None = None
    ) -> None: ...
    @property
    def should_stop(self) -> bool:
        """Whether a stop was asked for; for code that can stop in good order between checkpoints."""
        ...

    def stop_here(self) -> None:
        """End the task now if a stop was asked for, keeping its last checkpoint; else do nothing."""
        ...
