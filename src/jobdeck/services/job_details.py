"""What is recorded about one job: steps, attempts, events, logs, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobdeck.access.caller import Caller
from jobdeck.core import progress
from jobdeck.core.states import STEP_ENDED, State, StepState
from jobdeck.services import scope
from jobdeck.services.core import Core
from jobdeck.services.jobs import Jobs
from jobdeck.store import events
from jobdeck.store.views import JobRow, Reader, job_views, lineage
from jobdeck.store.views.job_views import StepRows
from jobdeck.wire.base import Page, instant
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt, ErrorView, Lineage, ProgressView, TouchedObject
from jobdeck.wire.steps import Step, Task

MAX_TASKS = 1000
"""Tasks shown of one step, at most; `task_count` says how many there are."""

Row = JobRow


class JobDetails:
    """The use cases around one job."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def steps(self, caller: Caller, job_id: int, attempt: int | None) -> Page[Step]:
        """The steps of an attempt (default: the present one) that have begun, with their tasks."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            chosen = attempt or await self._present_attempt(connection, job_id)
            found = await job_views.steps_of(connection, job_id, chosen, MAX_TASKS)
            now = await self._core.database.clock.now(connection)
        return Page[Step](items=[_step(rows, now) for rows in found])

    async def _present_attempt(self, connection: Reader, job_id: int) -> int:
        row = await job_views.get(connection, job_id)
        return int(row["attempt"]) if row else 1

    async def attempts(self, caller: Caller, job_id: int) -> Page[Attempt]:
        """The runs of the job from its first step, first to last."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            rows = await job_views.attempts_of(connection, job_id)
        return Page[Attempt](items=[_attempt(row) for row in rows])

    async def events(self, caller: Caller, job_id: int, after: int, limit: int) -> Page[Event]:
        """What happened to the job, oldest first, after the event `after`; `next` is the `after` of the next page."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            found = await events.read_after(connection, after, limit + 1, job=job_id)
            names = await scope.names(connection)
        more, found = len(found) > limit, found[:limit]
        items = [event(e.id, e.at, e.kind, names.get(e.project_id or 0), e.job_id, e.actor, e.data) for e in found]
        return Page[Event](items=items, next=str(found[-1].id) if more else None)

    async def lineage(self, caller: Caller, job_id: int) -> Lineage:
        """What the job read and wrote, and the jobs before and after it through those objects."""
        project_id = await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            row = await job_views.get(connection, job_id)
            touched = (await lineage.of_jobs(connection, [row] if row else [], 10_000)).get(job_id, [])
            upstream = await lineage.neighbours(connection, job_id, project_id, "input")
            downstream = await lineage.neighbours(connection, job_id, project_id, "output")
        return Lineage(
            inputs=[_object(t) for t in touched if t.direction == "input"],
            outputs=[_object(t) for t in touched if t.direction == "output"],
            upstream=upstream,
            downstream=downstream,
        )


def event(
    id: int | None, at: int, kind: str, project: str | None, job: int | None, actor: str | None, data: Mapping[str, Any]
) -> Event:
    """An event as people see it."""
    return Event(id=id or 0, at=instant(at), kind=kind, project=project, job=job, actor=actor, data=dict(data))


def _step(rows: StepRows, now: int) -> Step:
    row = rows.step
    state = StepState(row["state"])
    fraction = 1.0 if state is StepState.SUCCEEDED else _fraction(rows)
    seconds = ((row["ended_at"] or now) - row["started_at"]) / 1_000_000 if row["started_at"] else 0.0
    return Step(
        index=row["index"],
        name=row["name"],
        state=state,
        attempt=row["attempt"],
        started_at=_maybe(row["started_at"]),
        ended_at=_maybe(row["ended_at"]),
        progress=ProgressView(
            fraction=fraction,
            done=rows.done,
            total=rows.total,
            unit=rows.unit,
            rate=progress.rate(rows.done, seconds),
            eta=_maybe(progress.eta(now, fraction, seconds)) if state is StepState.RUNNING else None,
        ),
        error=_error(row),
        tasks=[_task(task) for task in rows.tasks],
        task_count=rows.task_count,
    )


def _fraction(rows: StepRows) -> float:
    """By units where their total is known, else by tasks that succeeded."""
    if rows.total:
        return progress.fraction_of(rows.done, rows.total)
    return progress.fraction_of(rows.ended, rows.task_count)


def _task(row: Row) -> Task:
    return Task(
        index=row["index"],
        key=row["key"],
        state=StepState(row["state"]),
        host=row["host"],
        attempts=row["attempts"],
        started_at=_maybe(row["started_at"]),
        ended_at=_maybe(row["ended_at"]),
        rows=row["rows"],
        bytes=row["bytes"],
        error=_error(row) if row["state"] not in STEP_ENDED else None,
        done=row["done"],
        total=row["total"],
        unit=row["unit"] or "",
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(
        attempt=row["attempt"],
        state=State(row["state"]),
        started_at=_maybe(row["started_at"]),
        ended_at=_maybe(row["ended_at"]),
        error=ErrorView(code=row["error_code"], message=row["error_message"] or "") if row["error_code"] else None,
        worker=row["worker"],
    )


def _error(row: Row) -> ErrorView | None:
    if row["error_code"] is None:
        return None
    return ErrorView(code=row["error_code"], message=row["error_message"] or "", hint=row["error_hint"])


def _object(touched: lineage.Touched) -> TouchedObject:
    return TouchedObject(object=touched.object, version=touched.version, rows=touched.rows, bytes=touched.bytes)


def _maybe(micros: int | None) -> Any:
    return None if micros is None else instant(micros)
