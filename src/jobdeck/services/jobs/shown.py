"""What is recorded of a job, each row as people see it: events, attempts, steps, tasks, objects, errors."""

from __future__ import annotations

from jobdeck.core.life import progress
from jobdeck.core.life.states import STEP_ENDED, State, StepState
from jobdeck.engine.feed import FeedItem
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.views import JobRow
from jobdeck.store.views.job_views import StepRows
from jobdeck.store.views.lineage import LineageRow
from jobdeck.wire.base import instant, instant_or_none
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt, ErrorView, ProgressView, TouchedObject
from jobdeck.wire.steps import Step, Task


def event_view(found: StoredEvent | FeedItem, project: str | None) -> Event:
    """An event, of the project of this name."""
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


def attempt_view(row: JobRow) -> Attempt:
    """An attempt."""
    return Attempt(
        attempt=row["attempt"],
        state=State(row["state"]),
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        error=ErrorView(code=row["error_code"], message=row["error_message"] or "") if row["error_code"] else None,
        worker=row["worker"],
    )


def step_view(rows: StepRows, now: int) -> Step:
    """A step with its first tasks, as it stands at `now` (µs)."""
    row = rows.step
    state = StepState(row["state"])
    fraction = 1.0 if state is StepState.SUCCEEDED else _fraction(rows)
    seconds = ((row["ended_at"] or now) - row["started_at"]) / 1_000_000 if row["started_at"] else 0.0
    return Step(
        index=row["index"],
        name=row["name"],
        state=state,
        attempt=row["attempt"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        progress=ProgressView(
            fraction=fraction,
            done=rows.done,
            total=rows.total,
            unit=rows.unit,
            rate=progress.rate(rows.done, seconds) if state in (StepState.RUNNING, StepState.SUCCEEDED) else None,
            eta=instant_or_none(progress.eta(now, fraction, seconds)) if state is StepState.RUNNING else None,
        ),
        error=error_view(row),
        tasks=[task_view(task) for task in rows.tasks],
        task_count=rows.task_count,
    )


def _fraction(rows: StepRows) -> float:
    """By units where their total is known, else by tasks that succeeded."""
    if rows.total:
        return progress.fraction_of(rows.done, rows.total)
    return progress.fraction_of(rows.ended, rows.task_count)


def task_view(row: JobRow, *, traceback: bool = False) -> Task:
    """A task; with its `traceback` for those who may see that, where the row has it."""
    return Task(
        index=row["index"],
        key=row["key"],
        state=StepState(row["state"]),
        host=row["host"],
        attempts=row["attempts"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        rows=row["rows"],
        bytes=row["bytes"],
        error=error_view(row, traceback=traceback) if row["state"] not in STEP_ENDED else None,
        done=row["done"],
        total=row["total"],
        unit=row["unit"] or "",
    )


def object_view(touched: LineageRow) -> TouchedObject:
    """An object that a job read or wrote."""
    return TouchedObject(
        object=touched.object, name=touched.name, version=touched.version, rows=touched.rows, bytes=touched.bytes
    )


def error_view(row: JobRow, *, traceback: bool = False) -> ErrorView | None:
    """The error in a row, None where there is none; what the row does not have of it is left out."""
    if row["error_code"] is None:
        return None
    return ErrorView(
        code=row["error_code"],
        message=row["error_message"] or "",
        hint=row["error_hint"],
        fingerprint=row.get("error_fingerprint"),
        traceback=row.get("error_traceback") if traceback else None,
    )
