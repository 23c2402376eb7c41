"""Run a job type in a test, through the real engine and executor, with its worker killed wherever you like.

done = run_job(Import, {"files": ["a.csv"], "into": "lake/in.shop/orders"}, environment=environment)
assert done.state == "succeeded"

for crash in crash_points(Import, params, environment=environment):   # the worker dies at every record in turn
    assert run_job(Import, params, environment=fresh(), crashes=[crash]).result["rows"] == 100
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic_core import to_jsonable_python

from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.errors import ErrorInfo, LeaseLost
from jobdeck.core.jobtype import Isolation, JobType
from jobdeck.core.life.endings import Broke, Ending, Finished, Halted, HandedBack, RetryLater
from jobdeck.core.life.records import (
    JobUndone,
    Record,
    SavedStep,
    SavedTask,
    StepClosed,
    StepOpened,
    TaskAdvanced,
    TaskEnded,
    TaskStarted,
)
from jobdeck.core.life.states import StepState
from jobdeck.core.registry import RegisteredType, read_params
from jobdeck.core.tasks import Executor, Printed, Run, TaskRequest, Touched
from jobdeck.engine.worker.execute import Execution
from jobdeck.engine.worker.renewal import DatabaseTime
from jobdeck.engine.worker.stop_control import StopRequest
from jobdeck.executors.choose import ByIsolation
from jobdeck.executors.context import TaskContext
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.threads import ThreadExecutor
from jobdeck.jobs.declared import InvalidJobType, check_type
from jobdeck.store.running.leases import RUN, UNDO, Assignment

MAX_STAYS = 100
_ids = itertools.count(1_000_000)


@dataclass(frozen=True, slots=True)
class Crash:
    """The worker dies at its `record`-th record (from 0, over all its stays): just before it lands, or after."""

    record: int
    landed: bool = False


@dataclass(slots=True)
class Tested:
    """How the job ended: `succeeded`, `failed`, `paused` or `canceled`, with what it left in the records."""

    state: Literal["succeeded", "failed", "paused", "canceled"]
    result: Any = None
    error: ErrorInfo | None = None
    steps: list[SavedStep] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)
    warnings: int = 0
    stays: int = 0
    records: int = 0


def run_job(
    job_type: type[JobType],
    params: Mapping[str, Any] | BaseModel | None = None,
    *,
    environment: Environment | None = None,
    crashes: Sequence[Crash] = (),
    pause_at: int | None = None,
    cancel_at: int | None = None,
    isolation: Isolation | None = None,
) -> Tested:
    """Run a job of `job_type` until it ends, is paused or canceled; each crash costs it its worker, and it goes on.

    `params` may hold what the model takes: paths, dates, models. What `environment` does not say lies in a temporary
    folder that is gone afterwards; `environment_in(folder)` makes one whose tables can be looked at.

    `pause_at` and `cancel_at` ask for that when the record of that number, or a later one, has landed. `isolation`
    overrides the type's: with `process` a crash is a real SIGKILL; the class must then be importable from the working
    directory. Raises InvalidJobType, as the loading of the type would, for what it declares, and TypeError or
    ValueError for arguments with which the test would not test what it says."""
    _check_call(job_type, crashes, isolation)
    _check_declared(job_type)
    given = _plain(params or {})
    read_params(job_type, given)
    requests = ((pause_at, StopRequest.PAUSE), (cancel_at, StopRequest.CANCEL))
    asks = {number: request for number, request in requests if number is not None}
    book = _Book(list(crashes), asks)
    with TemporaryDirectory(prefix="jobdeck-test-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_run(job_type, given, _within(Path(folder), environment), book, isolation))


def _check_call(job_type: object, crashes: Sequence[object], isolation: str | None) -> None:
    """Refuse what would be ignored: a test that kills nothing would pass for a type that is wrong."""
    if not (isinstance(job_type, type) and issubclass(job_type, JobType)):
        raise TypeError(f"run_job takes the class of a job type, not {job_type!r}: run_job(Shout, {{…}}).")
    for crash in crashes:
        if not isinstance(crash, Crash):
            raise TypeError(f"crashes takes Crash(record), not {crash!r}, for example crashes=[Crash(3)].")
    kinds = get_args(Isolation)
    if isolation is not None and isolation not in kinds:
        raise ValueError(f"isolation is {' or '.join(map(repr, kinds))}, not {isolation!r}.")
    _check_importable(job_type, isolation or job_type.isolation)


def _check_importable(job_type: type[JobType], isolation: str) -> None:
    """A class is found by its module and name alone, as on a worker."""
    name = job_type.__qualname__
    if "<locals>" in name:
        raise ValueError(
            f"{name} stands inside a function, where no worker finds it: move it to the top of its module."
        )
    if job_type.__module__ == "__main__" and isolation == "process":
        raise ValueError(
            f"{name} stands in the script that is run, which a process of its own cannot import. "
            "Move it to a module of its own, or run it with isolation='thread'."
        )


def _check_declared(job_type: type[JobType]) -> None:
    try:
        check_type(job_type)
    except InvalidJobType as error:
        raise InvalidJobType(f"{job_type.__qualname__}: {error}") from None


def environment_in(folder: Path | str, **facts: Any) -> Environment:
    """An environment whose tables and temporary files lie in `folder`; `facts` are further fields of Environment.

    `connections` may be given by name, each as the dict of a ConnectionSpec without the name."""
    connections = {
        name: spec if isinstance(spec, ConnectionSpec) else ConnectionSpec(name=name, **spec)
        for name, spec in facts.pop("connections", {}).items()
    }
    return _within(Path(folder).resolve(), Environment(connections=connections, **facts))


def open_run(environment: Environment) -> Run:
    """A `run` of no job, for `read_table` and `write_table` in a test's own lines."""
    request = TaskRequest(
        job=next(_ids), project=environment.project, type="test", implementation="", attempt=1, epoch=1, step="test",
        method="test", step_index=0, index=0, key="", params={}, environment=environment,
    )  # fmt: skip
    return TaskContext(request, lambda _message: None, threading.Event())


def _within(folder: Path, environment: Environment | None) -> Environment:
    """The environment, with places in `folder` for what it does not name."""
    environment = environment or Environment()
    (folder / "storage").mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir(parents=True, exist_ok=True)
    places = {
        "storage_url": environment.storage_url or (folder / "storage").resolve().as_uri(),
        "work_dir": environment.work_dir or str(folder / "work"),
    }
    return environment.model_copy(update=places)


def _plain(params: Mapping[str, Any] | BaseModel) -> dict[str, Any]:
    """Parameters as a submission gives them: as JSON, with secrets in clear."""
    values = params.model_dump() if isinstance(params, BaseModel) else dict(params)
    plain: dict[str, Any] = to_jsonable_python(_revealed(values), fallback=str)
    return plain


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return _revealed(value.model_dump())
    if isinstance(value, Mapping):
        return {name: _revealed(inner) for name, inner in value.items()}
    return [_revealed(inner) for inner in value] if isinstance(value, list | tuple | set | frozenset) else value


def crash_points(
    job_type: type[JobType], params: Mapping[str, Any] | BaseModel | None = None, **options: Any
) -> list[Crash]:
    """Every place where the worker can die, found by running the job once; each is to be tried on fresh data."""
    records = run_job(job_type, params, **options).records
    return [Crash(number, landed) for number in range(records) for landed in (False, True)]


class _Book:
    """Checkpoints (core.life.records) in memory, which can lose their writer."""

    def __init__(self, crashes: list[Crash], asks: dict[int, StopRequest]) -> None:
        self._crashes = crashes
        self._asks = asks
        self._steps: dict[int, SavedStep] = {}
        self.asked = StopRequest.NOTHING
        self.execution: Execution | None = None
        self.touched: list[Touched] = []
        self.warnings = 0
        self.count = 0
        self.dirty = False
        self._dead = False
        """Whether the worker of this stay has died: nothing that it still says lands."""

    def begin(self, execution: Execution) -> None:
        """Another worker takes the job."""
        self.execution, self._dead = execution, False

    async def load(self) -> list[SavedStep]:
        return self.steps()

    async def earlier_failures(self, step: int) -> dict[int, int]:  # noqa: ARG002  (there are no earlier attempts)
        return {}

    async def write(self, *records: Record) -> None:
        """All of them land or none, as in the database."""
        if self._dead:
            raise LeaseLost("the worker is dead")
        numbers = range(self.count, self.count + len(records))
        self.count += len(records)
        dead = next((number for number in numbers if self._dies(number, landed=False)), None)
        if dead is not None:
            self.count, self._dead = dead + 1, True
            raise LeaseLost("the worker died here")
        for record in records:
            self._note(record)
        # What was asked is remembered with the job: it holds although the worker dies now.
        self.asked = max([self.asked, *(ask for number, ask in self._asks.items() if number < self.count)])
        if any(self._dies(number, landed=True) for number in numbers):
            self._dead = True
            raise LeaseLost("the worker died here")
        if self.execution is not None:
            self.execution.stop_control.ask(self.asked)

    def steps(self) -> list[SavedStep]:
        return [self._steps[i] for i in sorted(self._steps)]

    def _dies(self, number: int, *, landed: bool) -> bool:
        return Crash(number, landed) in self._crashes

    def _note(self, record: Record) -> None:
        match record:
            case StepOpened():
                self._open(record)
            case StepClosed():
                self._steps[record.index] = replace(self._steps[record.index], state=record.state)
            case TaskStarted():
                self._patch(record.step, record.index, state=StepState.RUNNING)
            case TaskAdvanced():
                said = {name: getattr(record, name) for name in ("cursor", "done", "total", "unit")}
                self._patch(record.step, record.index, **{k: v for k, v in said.items() if v is not None})
            case TaskEnded():
                self._end(record)
            case JobUndone():
                self.dirty = False
            case _:
                return

    def _open(self, record: StepOpened) -> None:
        self.dirty = self.dirty or record.dirties
        tasks = tuple(SavedTask(t.index, t.key, StepState.PENDING, t.part, None, None, 0, 0) for t in record.tasks)
        known = self._steps.get(record.index)
        if known is not None and record.count is not None:
            places = {task.index: task for task in (*known.tasks, *tasks)}
            tasks = tuple(places[index] for index in range(record.count))
        elif known is not None:
            tasks = known.tasks
        self._steps[record.index] = SavedStep(record.index, record.name, StepState.RUNNING, tasks)

    def _end(self, record: TaskEnded) -> None:
        task = self._steps[record.step].tasks[record.index]
        failed = int(record.state is StepState.FAILED)
        counts = {"tries": task.tries + failed, "failures": task.failures + failed}
        self._patch(record.step, record.index, state=record.state, result=record.result, **counts)
        self.touched += record.touched
        self.warnings += record.warnings

    def _patch(self, step: int, index: int, **values: Any) -> None:
        tasks = list(self._steps[step].tasks)
        tasks[index] = replace(tasks[index], **values)
        self._steps[step] = replace(self._steps[step], tasks=tuple(tasks))


class _LogLines(list[str]):
    """A job's log (engine.worker.undoing.TaskLog)."""

    def say(self, step: str, task: int, line: Printed) -> None:  # noqa: ARG002
        self.append(line.text)


async def _run(
    job_type: type[JobType], params: dict[str, Any], environment: Environment, book: _Book, isolation: Isolation | None
) -> Tested:
    kind = isolation or job_type.isolation
    registered = RegisteredType(job_type.type_name(), f"{job_type.__module__}:{job_type.__qualname__}", job_type)
    executor = ByIsolation(
        {"process": ProcessExecutor(4) if kind == "process" else ThreadExecutor(4), "thread": ThreadExecutor(4)}
    )
    lines = _LogLines()
    job = next(_ids)
    try:
        for stay in range(1, MAX_STAYS + 1):
            purpose = UNDO if book.asked is StopRequest.CANCEL else RUN
            assignment = _assignment(
                job, registered.name, params, environment.project, stay, purpose, dirty=book.dirty
            )  # fmt: skip
            ending = await _run_once(assignment, registered, environment, book, executor, lines)
            if ending is None or isinstance(ending, RetryLater | HandedBack):
                ending = _without_worker(book)
            if ending is not None:
                return _tested(ending, book, lines, stay)
        raise AssertionError(f"the job did not end within {MAX_STAYS} stays")
    finally:
        await executor.aclose()


def _without_worker(book: _Book) -> Ending | None:
    """What becomes of a job that no worker holds: None when another one takes it."""
    if book.asked is StopRequest.PAUSE:
        return Halted()
    return Halted(undone=True) if book.asked is StopRequest.CANCEL and not book.dirty else None


def _assignment(
    job: int, name: str, params: dict[str, Any], project: str, epoch: int, purpose: str, *, dirty: bool
) -> Assignment:
    return Assignment(
        id=job, project=project, type=name, params=json.dumps(params), attempt=1, epoch=epoch, purpose=purpose,
        dirty_since=int(dirty), fraction=0.0, running_us=0, state_since=0,
    )  # fmt: skip


async def _run_once(
    job: Assignment,
    registered: RegisteredType,
    environment: Environment,
    book: _Book,
    executor: Executor,
    lines: _LogLines,
) -> Ending | None:
    execution = Execution(job, registered, environment, book, executor, lines, DatabaseTime(), parallel=4)
    book.begin(execution)
    ending = await execution.execute()
    if ending is None or not execution.unwritten:
        return ending
    try:
        await book.write(*execution.unwritten)  # as a worker writes it, with the end of the stay
    except LeaseLost:
        return None
    return ending


def _tested(ending: Ending, book: _Book, lines: _LogLines, stays: int) -> Tested:
    tested = Tested(
        "paused",
        steps=book.steps(),
        lines=list(lines),
        touched=book.touched,
        warnings=book.warnings,
        stays=stays,
        records=book.count,
    )
    match ending:
        case Finished(result):
            return replace(tested, state="succeeded", result=json.loads(result) if result else None)
        case Broke(error):
            return replace(tested, state="failed", error=error)
        case Halted(undone=True, trouble=trouble):
            told = [] if trouble is None else [trouble]
            return replace(
                tested, state="canceled", warnings=tested.warnings + len(told), lines=[*tested.lines, *told]
            )  # fmt: skip
        case _:
            return tested
