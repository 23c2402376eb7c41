"""What is recorded about one job: steps, attempts, events, logs, lineage."""

from __future__ import annotations

import json
from typing import Any

from jobdeck.access.caller import Caller
from jobdeck.core.errors import NotFound
from jobdeck.core.life import progress
from jobdeck.core.life.states import STEP_ENDED, State, StepState
from jobdeck.engine.feed import FeedItem
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.services.jobs.differences import changes
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.services.jobs.queries import MAX_LIMIT
from jobdeck.services.masking import Masker
from jobdeck.store.sql import events
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.views import JobRow, Reader, job_views, lineage
from jobdeck.store.views.job_views import StepRows
from jobdeck.wire.base import Page, instant
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt, ErrorView, Lineage, ProgressView, TouchedObject
from jobdeck.wire.plans import JobDiff
from jobdeck.wire.steps import Step, Task

MAX_TASKS = 1000
"""Tasks shown of one step, at most; `task_count` says how many there are."""
MOST_STEPS = 2**31 - 1

Row = JobRow


class JobDetails:
    """The use cases around one job."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs
        self._seals = core.seals()
        self._masker = Masker(core.registry)

    async def steps(
        self,
        caller: Caller,
        job_id: int,
        attempt: int | None = None,
        *,
        tasks: int = MAX_TASKS,
        cursor: str | None = None,
        limit: int = MAX_LIMIT,
    ) -> Page[Step]:
        """The steps of an attempt (default: the present one) that have begun, with the first `tasks` tasks of each."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            chosen = attempt or await self._present_attempt(connection, job_id)
            kind = f"steps:{job_id}:{chosen}"
            after = cursors.number(cursor, kind)
            start = -1 if after is None else min(after, MOST_STEPS)
            found = await job_views.steps_of(connection, job_id, chosen, tasks, max(-1, start), limit + 1)
            now = await self._core.database.clock.now(connection)
        last = cursors.encode(kind, found[limit - 1].step["index"]) if len(found) > limit else None
        return Page[Step](items=[_step(rows, now) for rows in found[:limit]], next=last)

    async def _present_attempt(self, connection: Reader, job_id: int) -> int:
        row = await job_views.get(connection, job_id)
        return int(row["attempt"]) if row else 1

    async def attempts(self, caller: Caller, job_id: int, cursor: str | None, limit: int) -> Page[Attempt]:
        """The runs of the job from its first step, first to last."""
        await self._jobs.require_visible(caller, job_id)
        kind = f"attempts:{job_id}"
        after = min(cursors.number(cursor, kind) or 0, MOST_STEPS)
        async with self._core.database.read() as connection:
            rows = await job_views.attempts_of(connection, job_id, after, limit + 1)
        last = cursors.encode(kind, rows[limit - 1]["attempt"]) if len(rows) > limit else None
        return Page[Attempt](items=[attempt_view(row) for row in rows[:limit]], next=last)

    async def events(self, caller: Caller, job_id: int, after: int, limit: int) -> Page[Event]:
        """What happened to the job, oldest first, after the event `after`; `next` is the `after` of the next page."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            found = await events.read_after(connection, after, limit + 1, job=job_id)
            names = await scope.names(connection)
        more, found = len(found) > limit, found[:limit]
        items = [event(e, names.get(e.project_id or 0)) for e in found]
        return Page[Event](items=items, next=str(found[-1].id) if more else None)

    async def diff(self, caller: Caller, job_id: int, other: int | None = None) -> JobDiff:
        """From the parameters of `other` (default: the job that it runs again) to those of the job.

        Raises NotFound, also where there is no other."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            row = await job_views.get(connection, job_id)
            wanted = other if other is not None or row is None else row["copied_from"]
            before = await job_views.get(connection, wanted) if wanted is not None else None
        if row is None:
            raise no_such_job(job_id)
        if wanted is None:
            raise NotFound(f"Job {job_id} runs no other one again.", field="with", hint="Say with which to compare it.")
        if before is None or not caller.sees(before["project_id"]):
            raise no_such_job(wanted, "with")
        old, new = (self._seals.open(r["project_id"], json.loads(r["params"]), r["secrets"]) for r in (before, row))
        shown = self._masker.mask(before["type"], old), self._masker.mask(row["type"], new)
        return JobDiff(job=job_id, other=wanted, same=old == new, changes=changes(old, new, *shown))

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


def event(found: StoredEvent | FeedItem, project: str | None) -> Event:
    """An event as people see it."""
    return Event(
        id=found.id or 0,
        at=instant(found.at),
        kind=found.kind,
        project=project,
        job=found.job_id,
        actor=found.actor,
        principal=found.principal_id,
        token=found.token_id,
        data=dict(found.data),
    )


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
            rate=progress.rate(rows.done, seconds) if state in (StepState.RUNNING, StepState.SUCCEEDED) else None,
            eta=_maybe(progress.eta(now, fraction, seconds)) if state is StepState.RUNNING else None,
        ),
        error=_error(row),
        tasks=[task_view(task) for task in rows.tasks],
        task_count=rows.task_count,
    )


def _fraction(rows: StepRows) -> float:
    """By units where their total is known, else by tasks that succeeded."""
    if rows.total:
        return progress.fraction_of(rows.done, rows.total)
    return progress.fraction_of(rows.ended, rows.task_count)


def task_view(row: Row, *, traceback: bool = False) -> Task:
    """A task as people see it; with its `traceback` for those who may see that, where the row has it."""
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
        error=_task_error(row, traceback) if row["state"] not in STEP_ENDED else None,
        done=row["done"],
        total=row["total"],
        unit=row["unit"] or "",
    )


def attempt_view(row: Row) -> Attempt:
    """An attempt as people see it."""
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


def _task_error(row: Row, traceback: bool) -> ErrorView | None:
    error = _error(row)
    if error is None or not traceback:
        return error
    return error.model_copy(update={"traceback": row.get("error_traceback")})


def _object(touched: lineage.Touched) -> TouchedObject:
    return TouchedObject(
        object=touched.object, name=touched.name, version=touched.version, rows=touched.rows, bytes=touched.bytes
    )


def _maybe(micros: int | None) -> Any:
    return None if micros is None else instant(micros)
