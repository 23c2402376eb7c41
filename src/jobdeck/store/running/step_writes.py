"""Steps, tasks and progress: many changes gathered, merged per row, and written with one statement a table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Insert,
    Subquery,
    Table,
    Update,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.job import Job
from jobdeck.core.life.records import JobAdvanced, StepClosed, StepOpened, TaskAdvanced, TaskEnded, TaskStarted
from jobdeck.core.life.states import StepState
from jobdeck.store.schema import jobs, steps, tasks
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.statements import FLOAT, INT, TEXT, Build, cells_of, run_batch

_STEP_KEY = ("job_id", "attempt", "index")
_TASK_KEY = ("job_id", "attempt", "step_index", "index")
_NEW_STEP = {
    "job_id": INT,
    "attempt": INT,
    "index": INT,
    "name": TEXT,
    "state": TEXT,
    "weight": FLOAT,
    "started_at": INT,
}
_NEW_TASK = {"job_id": INT, "attempt": INT, "step_index": INT, "index": INT, "key": TEXT, "state": TEXT, "part": TEXT}
_STEP_PATCH = {
    "job_id": INT,
    "attempt": INT,
    "index": INT,
    "state": TEXT,
    "ended_at": INT,
    "error_code": TEXT,
    "error_message": TEXT,
    "error_hint": TEXT,
}
_TASK_PATCH = {
    "job_id": INT,
    "attempt": INT,
    "step_index": INT,
    "index": INT,
    "state": TEXT,
    "host": TEXT,
    "started": INT,
    "failed": INT,
    "started_at": INT,
    "ended_at": INT,
    "done": INT,
    "total": INT,
    "unit": TEXT,
    "rows": INT,
    "bytes": INT,
    "cursor": TEXT,
    "result": TEXT,
    "error_code": TEXT,
    "error_message": TEXT,
    "error_hint": TEXT,
    "error_traceback": TEXT,
}
AT_ONCE = 500
MOST_TRACEBACK = 8 * 1024
"""Characters kept of the traceback of a task, the last ones: a step may have thousands that fail."""
_KEPT = ("state", "host", "done", "total", "unit", "rows", "bytes", "cursor", "result")
"""Columns that keep their value where a patch says nothing."""
_AMOUNTS = ("done", "rows", "bytes")


class StepBatch:
    """Changes to steps and tasks of many jobs; `flush` writes them."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._new_steps: list[dict[str, Any]] = []
        self._new_tasks: list[dict[str, Any]] = []
        self._steps: dict[tuple[int, int, int], dict[str, Any]] = {}
        self._tasks: dict[tuple[int, int, int, int], dict[str, Any]] = {}
        self._replaced: list[tuple[Job, StepOpened, int]] = []

    def open_step(self, job: Job, record: StepOpened) -> None:
        key = {"job_id": job.id, "attempt": job.attempt}
        self._new_steps.append(
            {
                **key,
                "index": record.index,
                "name": record.name,
                "state": str(StepState.RUNNING),
                "weight": record.weight,
                "started_at": self._now - record.ago,
            }
        )
        self._new_tasks += [
            {
                **key,
                "step_index": record.index,
                "index": t.index,
                "key": t.key,
                "state": str(StepState.PENDING),
                "part": t.part,
            }
            for t in record.tasks
        ]
        if record.count is not None:
            self._replaced.append((job, record, record.count))
        if not record.tasks or record.count is not None:  # it may have failed or been stopped, and is opened again
            self._steps[job.id, job.attempt, record.index] = {"state": str(StepState.RUNNING)}

    def close_step(self, job: Job, record: StepClosed) -> None:
        patch = {"state": str(record.state), "ended_at": self._now, **_error(record.error)}
        self._steps[job.id, job.attempt, record.index] = patch

    def patch_task(self, job: Job, record: TaskStarted | TaskAdvanced | TaskEnded) -> None:
        patch = self._tasks.setdefault((job.id, job.attempt, record.step, record.index), {})
        patch.update(_task_patch(record, self._now))

    async def remove_replaced(self, tx: Tx) -> None:
        """Tasks whose places others take; before `flush`, which writes these."""
        for job, record, count in self._replaced:
            mine = (tasks.c.job_id == job.id, tasks.c.attempt == job.attempt, tasks.c.step_index == record.index)
            await tx.connection.execute(delete(tasks).where(*mine, tasks.c.index >= count))
            places = [task.index for task in record.tasks]
            for first in range(0, len(places), AT_ONCE):
                some = tasks.c.index.in_(places[first : first + AT_ONCE])
                await tx.connection.execute(delete(tasks).where(*mine, some))

    async def flush(self, tx: Tx) -> None:
        await _insert_missing(tx, steps, self._new_steps, _NEW_STEP, _STEP_KEY)
        await _insert_missing(tx, tasks, self._new_tasks, _NEW_TASK, _TASK_KEY)
        await _patch_steps(tx, [dict(zip(_STEP_KEY, k, strict=True)) | p for k, p in self._steps.items()])
        await _patch_tasks(tx, [dict(zip(_TASK_KEY, k, strict=True)) | p for k, p in self._tasks.items()])


def _task_patch(record: TaskStarted | TaskAdvanced | TaskEnded, now: int) -> dict[str, Any]:
    match record:
        case TaskStarted():
            return {"state": str(StepState.RUNNING), "host": record.host, "started": 1, "started_at": now - record.ago}
        case TaskAdvanced():
            names = ("cursor", "done", "total", "unit", "rows", "bytes")
            return {n: v for n in names if (v := getattr(record, n)) is not None}
        case TaskEnded():
            ended_at = None if record.state is StepState.PENDING else now
            failed = int(record.state is StepState.FAILED)
            outcome = {"state": str(record.state), "result": record.result, "failed": failed, "ended_at": ended_at}
            return outcome | _error(record.error) | _traceback(record.error)


def _error(error: ErrorInfo | None) -> dict[str, str | None]:
    if error is None:
        return {}
    return {"error_code": error.code, "error_message": error.message, "error_hint": error.hint}


def _traceback(error: ErrorInfo | None) -> dict[str, str]:
    if error is None or error.traceback is None:
        return {}
    text = error.traceback
    return {"error_traceback": text if len(text) <= MOST_TRACEBACK else "…" + text[-MOST_TRACEBACK + 1 :]}


async def _insert_missing(
    tx: Tx, table: Table, rows: list[dict[str, Any]], columns: dict[str, Any], key: tuple[str, ...]
) -> None:
    if not rows:
        return
    await run_batch(tx.connection, _insertion(table, key), cells_of(rows, columns), columns, key)


@cache
def _insertion(table: Table, key: tuple[str, ...]) -> Build:
    def build(batch: Subquery) -> Insert:
        there = exists().where(*(table.c[k] == batch.c[k] for k in key))
        return insert(table).from_select(list(batch.c.keys()), select(*batch.c).where(~there))

    return build


async def _patch_steps(tx: Tx, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    await run_batch(tx.connection, _step_patch, cells_of(rows, _STEP_PATCH), _STEP_PATCH, _STEP_KEY)


def _step_patch(batch: Subquery) -> Update:
    names = ("state", "ended_at", "error_code", "error_message", "error_hint")
    statement = update(steps).where(*(steps.c[k] == batch.c[k] for k in _STEP_KEY))
    return statement.values({steps.c[n]: batch.c[n] for n in names})


async def _patch_tasks(tx: Tx, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    await run_batch(tx.connection, _task_patches, cells_of(rows, _TASK_PATCH), _TASK_PATCH, _TASK_KEY)


def _task_patches(batch: Subquery) -> Update:
    failed = func.coalesce(batch.c.failed, 0)
    values: dict[Any, Any] = {tasks.c[n]: func.coalesce(batch.c[n], tasks.c[n]) for n in _KEPT}
    values |= {tasks.c[n]: _never_less(batch, n) for n in _AMOUNTS}
    of_this_end = ("ended_at", "error_code", "error_message", "error_hint", "error_traceback")
    values |= {tasks.c[n]: batch.c[n] for n in of_this_end}
    values[tasks.c.attempts] = tasks.c.attempts + func.coalesce(batch.c.started, 0)
    values[tasks.c.failures] = tasks.c.failures + failed
    values[tasks.c.tries] = tasks.c.tries + failed
    # A task that is stopped and goes on later keeps its first start.
    values[tasks.c.started_at] = case((tasks.c.started_at.is_(None), batch.c.started_at), else_=tasks.c.started_at)
    statement = update(tasks).where(*(tasks.c[k] == batch.c[k] for k in _TASK_KEY))
    return statement.values(values)


def _never_less(batch: Subquery, name: str) -> ColumnElement[int]:
    """An amount of a task that was lost or failed stays until its next run, which goes on at the last checkpoint, has
    caught up. What a task says with another unit, or in the end, counts as it is."""
    old, new = tasks.c[name], batch.c[name]
    as_said = or_(batch.c.state == str(StepState.SUCCEEDED), batch.c.unit != tasks.c.unit)
    return case((new.is_(None), old), (as_said, new), (old > new, old), else_=new)


async def advance(tx: Tx, advanced: Mapping[int, JobAdvanced]) -> None:
    """Write how far jobs are, as lists show it: often, so without events; a fraction never goes back."""
    rows = [(i, a.fraction, a.done, a.total, a.unit, tx.now) for i, a in advanced.items()]
    await run_batch(tx.connection, _advance, dict(zip(_PROGRESS, zip(*rows, strict=True), strict=True)), _PROGRESS)


_PROGRESS = {"id": INT, "fraction": FLOAT, "done": INT, "total": INT, "unit": TEXT, "at": INT}


def _advance(batch: Subquery) -> Update:
    values = {
        "fraction": case((batch.c.fraction > jobs.c.fraction, batch.c.fraction), else_=jobs.c.fraction),
        "done": batch.c.done,
        "total": batch.c.total,
        "unit": batch.c.unit,
        "progress_at": batch.c.at,
    }
    return update(jobs).where(jobs.c.id == batch.c.id).values(values)
