"""The writes of running attempts, many jobs at once, in one transaction, each fenced by its epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life import transitions
from jobdeck.core.life.job import NO_CHILDREN, Children, Job
from jobdeck.core.life.records import (
    JobAdvanced,
    JobLeft,
    JobUndone,
    Record,
    StepClosed,
    StepOpened,
    TaskAdvanced,
    TaskEnded,
    TaskStarted,
)
from jobdeck.core.life.states import StepState
from jobdeck.core.life.transitions import replace
from jobdeck.core.tasks import Touched
from jobdeck.store.jobs import jobs
from jobdeck.store.running import step_writes
from jobdeck.store.schema import lineage
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.sql.statements import INT, TEXT, insert_cells
from jobdeck.store.sql.wakeups import SCHEDULER

MAX_WARNINGS = 2**31 - 1
"""What the column of a job's warnings holds."""


class AttemptWrite(NamedTuple):
    """What the holder of `job` in `epoch` has to record, in order."""

    job: int
    epoch: int
    records: tuple[Record, ...]


async def write(database: Database, writes: Sequence[AttemptWrite]) -> set[tuple[int, int]]:
    """Record what `writes` say of jobs whose lease is of that epoch; job and epoch of those where nothing landed."""

    async def work(tx: Tx) -> set[tuple[int, int]]:
        locked = jobs.locked(tx.answers[0])
        live = [w for w in writes if _holds(w, locked.get(w.job))]
        await _write(tx, live, locked)
        return {(w.job, w.epoch) for w in writes} - {(w.job, w.epoch) for w in live}

    opening = jobs.locking({w.job for w in writes})
    return await database.transact(work, opening, often=True, by_key=len(writes) == 1)


def _holds(attempt_write: AttemptWrite, job: Job | None) -> bool:
    """The fence. Epoch and lease change only under the job's lock, which the caller has.

    A lease that ran out and was not yet taken away still counts: nobody else has the job, and its work is not lost."""
    return job is not None and job.leased and job.epoch == attempt_write.epoch


async def _write(tx: Tx, writes: Sequence[AttemptWrite], locked: Mapping[int, Job]) -> None:
    gathered = _Gathered(tx.now, locked)
    for attempt_write in writes:
        for record in attempt_write.records:
            gathered.take(attempt_write.job, record)
    await gathered.flush(tx)


class _Gathered:
    """The records of many jobs, sorted into what each table is to be told."""

    def __init__(self, now: int, locked: Mapping[int, Job]) -> None:
        self._locked = locked
        self._jobs = dict(locked)
        self._now = now
        self._steps: step_writes.StepBatch | None = None
        self._advanced: dict[int, JobAdvanced] = {}
        self._left: dict[int, JobLeft] = {}
        self._touched: list[tuple[Job, Touched]] = []
        self._events: list[NewEvent] = []

    def take(self, job_id: int, record: Record) -> None:
        """One record of the job, in the order in which its worker made them."""
        job = self._jobs[job_id]
        match record:
            case StepOpened():
                self._of_steps().open_step(job, record)
                dirty_since = job.dirty_since or (job.attempt if record.dirties else 0)
                job = replace(job, dirty_since=dirty_since, code=record.code or job.code)
            case StepClosed():
                self._of_steps().close_step(job, record)
                self._events.append(_step_event(job, record))
            case TaskStarted() | TaskAdvanced():
                self._of_steps().patch_task(job, record)
            case TaskEnded():
                job = self._end_task(job, record)
            case JobAdvanced():
                self._advanced[job_id] = record
            case JobUndone():
                job = replace(job, dirty_since=0)
            case JobLeft():
                self._left[job_id] = record
                job = _warned(job, record.warnings)
            case _:
                assert_never(record)
        self._jobs[job_id] = replace(job, losses=0) if job.losses and _is_progress(record) else job

    def _of_steps(self) -> step_writes.StepBatch:
        if self._steps is None:
            self._steps = step_writes.StepBatch(self._now)
        return self._steps

    def _end_task(self, job: Job, record: TaskEnded) -> Job:
        self._of_steps().patch_task(job, record)
        self._touched += [(job, touched) for touched in record.touched]
        self._events += _task_events(job, record)
        return _warned(job, record.warnings)

    async def flush(self, tx: Tx) -> None:
        children = await jobs.children_of(tx.connection, (i for i in self._left if self._locked[i].has_children))
        tx.emit(*self._events)
        tx.called = (SCHEDULER,) if self._left else ()  # of anything else only those who look on must know
        if self._steps is not None:
            await self._steps.remove_replaced(tx)
        async with tx.last_writes():
            if self._steps is not None:
                await self._steps.flush(tx)
            await jobs.save(tx, [(self._locked[i], job) for i, job in self._jobs.items() if i not in self._left])
            if self._advanced:
                await step_writes.advance(tx, self._advanced)
            await _record_lineage(tx, self._touched)
            await self._end_stays(tx, children)

    async def _end_stays(self, tx: Tx, children: Mapping[int, Children]) -> None:
        """What follows from each ending is decided from the job's state as it is now, under its lock."""
        changes = []
        for i, record in self._left.items():
            job = self._jobs[i]
            if i in self._advanced:
                job = replace(job, fraction=max(job.fraction, self._advanced[i].fraction))
            settled = transitions.settle(job, record.ending, tx.now, children.get(i, NO_CHILDREN))
            changes.append((self._locked[i], settled))
        await jobs.apply(tx, changes)


def _warned(job: Job, warnings: int) -> Job:
    return replace(job, warnings=min(job.warnings + warnings, MAX_WARNINGS)) if warnings else job


def _is_progress(record: Record) -> bool:
    """Whether it shows that the worker got somewhere, so that losing it later is not `in a row`."""
    match record:
        case TaskAdvanced():
            return record.cursor is not None
        case TaskEnded():
            return record.state is StepState.SUCCEEDED
        case _:
            return False


async def _record_lineage(tx: Tx, touched: Sequence[tuple[Job, Touched]]) -> None:
    if not touched:
        return
    names = list(_LINEAGE)[3:]
    rows = [(job.id, job.attempt, tx.now, *(getattr(t, n) for n in names)) for job, t in touched]
    await insert_cells(tx.connection, lineage, dict(zip(_LINEAGE, zip(*rows, strict=True), strict=True)), _LINEAGE)


_LINEAGE = {
    "job_id": INT, "attempt": INT, "at": INT,
    "direction": TEXT, "object": TEXT, "version": TEXT, "rows": INT, "bytes": INT, "name": TEXT,
}  # fmt: skip


def _step_event(job: Job, record: StepClosed) -> NewEvent:
    data = {"step": record.index, "state": str(record.state), "attempt": job.attempt}
    return NewEvent(f"step.{record.state}", job.project_id, job.id, None, data | _error(record.error))


def _task_events(job: Job, record: TaskEnded) -> list[NewEvent]:
    """Tasks that failed or warned are notable; the others tell their story in their rows."""
    data = {"step": record.step, "task": record.index, "attempt": job.attempt}
    events = []
    if record.state is StepState.FAILED:
        events.append(NewEvent("task.failed", job.project_id, job.id, None, data | _error(record.error)))
    if record.warnings:
        events.append(NewEvent("task.warned", job.project_id, job.id, None, data | {"warnings": record.warnings}))
    return events


def _error(error: ErrorInfo | None) -> dict[str, str]:
    return {} if error is None else {"code": error.code, "message": error.message}
