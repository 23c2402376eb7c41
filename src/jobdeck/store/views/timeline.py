"""What a timeline is drawn from: the changes of a job's state, its steps, and their tasks or how many were at work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, RowMapping, case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.spans import CHANGES, StateChange
from jobdeck.core.life.states import State, StepState
from jobdeck.store.schema import events, steps, tasks
from jobdeck.store.sql.numbers import wide

MOST_CHANGES = 2000
"""Changes of state that are looked at; the later ones of a job that had more."""

_TASK = [c for c in tasks.c if c.name not in ("part", "cursor", "result", "error_traceback")]
_WHOLE_TASK = [*_TASK, tasks.c.error_traceback]


async def changes_of(connection: AsyncConnection, job: int) -> list[StateChange]:
    """How the job's state changed, oldest first; what events were pruned of is missing."""
    query = (
        select(events.c.at, events.c.kind, events.c.data)
        .where(events.c.job_id == job, events.c.kind.in_(CHANGES))
        .order_by(events.c.id.desc())
        .limit(MOST_CHANGES)
    )
    rows = (await connection.execute(query)).all()
    return [_change(at, kind, json.loads(data)) for at, kind, data in reversed(rows)]


def _change(at: int, kind: str, data: dict[str, object]) -> StateChange:
    before, attempt = data.get("from"), data.get("attempt")
    return StateChange(
        at,
        kind,
        State(str(before)) if before is not None else None,
        State(str(data["state"])),
        attempt if isinstance(attempt, int) else None,
    )


async def steps_of(connection: AsyncConnection, job: int, attempt: int, after: int, limit: int) -> list[RowMapping]:
    """Up to `limit` rows of steps with an index above `after`, in order."""
    mine = (steps.c.job_id == job, steps.c.attempt == attempt, steps.c.index > after)
    query = select(steps).where(*mine).order_by(steps.c.index).limit(limit)
    return list((await connection.execute(query)).mappings())


async def has_step(connection: AsyncConnection, job: int, attempt: int, index: int) -> bool:
    """Whether this step of the attempt has begun."""
    mine = (steps.c.job_id == job, steps.c.attempt == wide(attempt), steps.c.index == wide(index))
    return (await connection.execute(select(steps.c.index).where(*mine))).first() is not None


async def step_count(connection: AsyncConnection, job: int, attempt: int) -> int:
    """How many steps of the attempt have begun."""
    query = select(func.count()).where(steps.c.job_id == job, steps.c.attempt == attempt)
    return int((await connection.execute(query)).scalar_one())


async def counts_of(connection: AsyncConnection, job: int, attempt: int, last: int) -> dict[int, dict[str, int]]:
    """Tasks by state of each step up to the index `last`."""
    query = (
        select(tasks.c.step_index, tasks.c.state, func.count())
        .where(tasks.c.job_id == job, tasks.c.attempt == attempt, tasks.c.step_index <= last)
        .group_by(tasks.c.step_index, tasks.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for step, state, count in await connection.execute(query):
        found.setdefault(step, {})[state] = count
    return found


async def tasks_of(
    connection: AsyncConnection, job: int, attempt: int, wanted: Sequence[int]
) -> dict[int, list[RowMapping]]:
    """All tasks of the steps `wanted`, by step, in order."""
    if not wanted:
        return {}
    mine = (tasks.c.job_id == job, tasks.c.attempt == attempt, tasks.c.step_index.in_(wanted))
    query = select(*_TASK).where(*mine).order_by(tasks.c.step_index, tasks.c.index)
    found: dict[int, list[RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["step_index"], []).append(row)
    return found


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Tasks of one step of one attempt, in any of `states` (empty: in any state)."""

    job: int
    attempt: int
    step: int
    states: tuple[str, ...] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        found = [
            tasks.c.job_id == self.job,
            tasks.c.attempt == wide(self.attempt),
            tasks.c.step_index == wide(self.step),
        ]
        return [*found, tasks.c.state.in_(self.states)] if self.states else found


async def page_of_tasks(connection: AsyncConnection, where: TaskFilter, after: int, limit: int) -> list[RowMapping]:
    """Up to `limit` tasks with an index above `after`, in order."""
    behind = tasks.c.index > wide(after)
    query = select(*_WHOLE_TASK).where(*where.conditions(), behind).order_by(tasks.c.index).limit(limit)
    return list((await connection.execute(query)).mappings())


async def slowest(
    connection: AsyncConnection, where: TaskFilter, now: int, after: tuple[int, int] | None, limit: int
) -> list[RowMapping]:
    """Tasks that have begun, those that took longest first; `took` is µs. `after`: time and index of the one before."""
    took = duration(now)
    query = select(*_WHOLE_TASK, took.label("took")).where(*where.conditions(), tasks.c.started_at.is_not(None))
    if after is not None:
        place = tuple_(literal(after[0], BigInteger()), literal(after[1], BigInteger()))
        query = query.where(tuple_(took, tasks.c.index) < place)
    query = query.order_by(took.desc(), tasks.c.index.desc()).limit(limit)
    return list((await connection.execute(query)).mappings())


def duration(now: int) -> ColumnElement[int]:
    """µs from a task's start to its end, or until `now` while it runs."""
    running = tasks.c.state == StepState.RUNNING.value
    end = case((running, literal(now, BigInteger())), else_=func.coalesce(tasks.c.ended_at, tasks.c.started_at))
    return end - tasks.c.started_at


async def density(
    connection: AsyncConnection, where: TaskFilter, begin: int, width: int
) -> dict[int, tuple[int, int, int]]:
    """Tasks that began, that ended, and that failed, by number of the part of `width` µs after `begin` (µs)."""
    found: dict[int, list[int]] = {}
    for place, column in enumerate((tasks.c.started_at, tasks.c.ended_at, tasks.c.ended_at)):
        part = ((column - literal(begin, BigInteger())) // literal(width, BigInteger())).label("place_in_time")
        # A task that is to go on later is not at work, although it has begun.
        state = _COUNTED[place]
        query = (
            select(part, func.count()).where(*where.conditions(), column.is_not(None), state).group_by("place_in_time")
        )
        for number, count in await connection.execute(query):
            found.setdefault(number, [0, 0, 0])[place] = count
    return {number: (began, ended, failed) for number, (began, ended, failed) in found.items()}


_COUNTED = (
    tasks.c.state != StepState.PENDING.value,
    tasks.c.state != StepState.PENDING.value,
    tasks.c.state == StepState.FAILED.value,
)
"""Which tasks count as begun, as ended, as failed."""
