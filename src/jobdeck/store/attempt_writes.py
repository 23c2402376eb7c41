"""The writes of running attempts, many jobs at once, in one transaction, each fenced by its epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from sqlalchemy import insert, select

from jobdeck.core import transitions as becoming
from jobdeck.core.errors import ErrorInfo
from jobdeck.core.job import NO_CHILDREN, Job
from jobdeck.core.records import (
    JobAdvanced, JobLeft, JobUndone, Record, StepClosed, StepOpened, TaskAdvanced, TaskEnded, TaskStarted,
)  # fmt: skip
from jobdeck.core.states import StepState
from jobdeck.store import jobs, progress, step_writes, transitions
from jobdeck.store.batch import INT, TEXT, table_of
from jobdeck.store.database import Database, Tx
from jobdeck.store.events import NewEvent
from jobdeck.store.schema import leases, lineage


@dataclass(frozen=True, slots=True)
class AttemptWrite:
    """What the holder of `job` in `epoch` has to record, in order."""

    job: int
    epoch: int
    records: tuple[Record, ...]


async def write(database: Database, writes: Sequence[AttemptWrite]) -> set[tuple[int, int]]:
    """Record what `writes` say of jobs whose lease is of that epoch; job and epoch of those where nothing landed."""

    async def work(tx: Tx) -> set[tuple[int, int]]:
        locked = await jobs.lock(tx, {w.job for w in writes})
        epochs = await _live_epochs(tx, locked)
        live = [w for w in writes if epochs.get(w.job) == w.epoch]
        await _write(tx, live, locked)
        return {(w.job, w.epoch) for w in writes} - {(w.job, w.epoch) for w in live}

    return await database.transact(work)


async def _live_epochs(tx: Tx, locked: Iterable[int]) -> dict[int, int]:
    ids = list(locked)
    query = select(leases.c.job_id, leases.c.epoch).where(leases.c.job_id.in_(ids), leases.c.expires_at > tx.now)
    return {job: epoch for job, epoch in await tx.connection.execute(query)}


async def _write(tx: Tx, writes: Sequence[AttemptWrite], locked: Mapping[int, Job]) -> None:
    batch = step_writes.StepBatch(tx.now)
    advanced: dict[int, JobAdvanced] = {}
    left: dict[int, JobLeft] = {}
    now = dict(locked)
    touched = []
    for w in writes:
        job = now[w.job]
        for record in w.records:
            match record:
                case StepOpened():
                    batch.open_step(job, record)
                    if record.dirties and not job.dirty_since:
                        now[w.job] = job = replace(job, dirty_since=job.attempt)
                case StepClosed():
                    batch.close_step(job, record)
                    tx.emit(_step_event(job, record))
                case TaskStarted() | TaskAdvanced():
                    batch.patch_task(job, record)
                case TaskEnded():
                    batch.patch_task(job, record)
                    touched += [(job, t) for t in record.touched]
                    now[w.job] = job = replace(job, warnings=job.warnings + record.warnings)
                    tx.emit(*_task_events(job, record))
                case JobAdvanced():
                    advanced[w.job] = record
                case JobUndone():
                    now[w.job] = job = replace(job, dirty_since=0)
                case JobLeft():
                    left[w.job] = record
                case _:
                    assert_never(record)
            if _is_progress(record) and job.losses:
                now[w.job] = job = replace(job, losses=0)
    await batch.flush(tx)
    changed = [now[i] for i in now if i not in left and now[i] != locked[i]]
    if changed:
        await jobs.save(tx, changed)
    await progress.advance(tx, advanced)
    await _record_lineage(tx, touched)
    await _leave(tx, left, locked, now, advanced)


def _is_progress(record: Record) -> bool:
    """Whether it shows that the worker got somewhere, so that losing it later is not `in a row`."""
    match record:
        case TaskAdvanced():
            return record.cursor is not None
        case TaskEnded():
            return record.state is StepState.SUCCEEDED
        case _:
            return False


async def _leave(
    tx: Tx, left: Mapping[int, JobLeft], locked: Mapping[int, Job], now: Mapping[int, Job], advanced: Mapping[int, JobAdvanced]
) -> None:
    """End stays: what follows from each ending is decided from the job's state as it is now, under its lock."""
    if not left:
        return
    children = await jobs.children_of(tx.connection, (i for i in left if locked[i].has_children))
    changes = []
    for i, record in left.items():
        job = now[i]
        if i in advanced:
            job = replace(job, fraction=max(job.fraction, advanced[i].fraction))
        changes.append((locked[i], becoming.settle(job, record.ending, tx.now, children.get(i, NO_CHILDREN))))
    await transitions.apply(tx, changes)


async def _record_lineage(tx: Tx, touched: Sequence[tuple[Job, object]]) -> None:
    if not touched:
        return
    columns = {"job_id": INT, "attempt": INT, "direction": TEXT, "object": TEXT, "version": TEXT, "rows": INT, "bytes": INT, "at": INT}
    names = ("direction", "object", "version", "rows", "bytes")
    rows = [
        {"job_id": job.id, "attempt": job.attempt, "at": tx.now, **{n: getattr(t, n) for n in names}} for job, t in touched
    ]
    batch = table_of(rows, columns, tx.dialect)
    await tx.connection.execute(insert(lineage).from_select(list(columns), select(*batch.c)))


def _step_event(job: Job, record: StepClosed) -> NewEvent:
    data = {"step": record.index, "state": str(record.state), "attempt": job.attempt}
    return NewEvent(f"step_{record.state}", job.project_id, job.id, None, data | _error(record.error))


def _task_events(job: Job, record: TaskEnded) -> list[NewEvent]:
    """Tasks that failed or warned are notable; the others tell their story in their rows."""
    data = {"step": record.step, "task": record.index, "attempt": job.attempt}
    events = []
    if record.state is StepState.FAILED:
        events.append(NewEvent("task_failed", job.project_id, job.id, None, data | _error(record.error)))
    if record.warnings:
        events.append(NewEvent("task_warned", job.project_id, job.id, None, data | {"warnings": record.warnings}))
    return events


def _error(error: ErrorInfo | None) -> dict[str, str]:
    return {} if error is None else {"code": error.code, "message": error.message}
