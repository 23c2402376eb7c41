"""One job with all that is shown of it, and what a page of jobs shows beside their rows: in one query each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.states import ENDED
from jobdeck.store.schema import attempts, jobs, steps, tasks
from jobdeck.store.views.job_lists import joined, listed_columns


async def get(connection: AsyncConnection, id: int) -> RowMapping | None:
    """The whole row of a job, with `project` and `created_by_name`."""
    found = await many(connection, [id])
    return found.get(id)


async def many(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, RowMapping]:
    """The whole rows of several jobs, by id."""
    rows = (await connection.execute(joined(*listed_columns(whole=True)).where(jobs.c.id.in_(ids)))).mappings()
    return {row["id"]: row for row in rows}


async def project_of(connection: AsyncConnection, id: int) -> int | None:
    """The id of the job's project, None when there is no such job."""
    return (await projects_of(connection, [id])).get(id)


async def projects_of(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """The ids of the jobs' projects, by job."""
    query = select(jobs.c.id, jobs.c.project_id).where(jobs.c.id.in_(ids))
    return {row.id: row.project_id for row in await connection.execute(query)}


async def unfinished_children(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[int, int]:
    """How many children of each job have not ended, by job; those with none are left out."""
    parents = [row["id"] for row in rows if row["has_children"]]
    if not parents:
        return {}
    open_ones = (jobs.c.parent_id.in_(parents), jobs.c.state.not_in([str(s) for s in ENDED]))
    query = select(jobs.c.parent_id, func.count().label("children")).where(*open_ones).group_by(jobs.c.parent_id)
    return {row.parent_id: row.children for row in await connection.execute(query)}


async def attempts_of(connection: AsyncConnection, id: int) -> list[RowMapping]:
    """Rows of the job's attempts that have started, first to last."""
    query = select(attempts).where(attempts.c.job_id == id).order_by(attempts.c.attempt)
    return list((await connection.execute(query)).mappings())


@dataclass(frozen=True, slots=True)
class StepRows:
    """A step's row and the rows of its tasks shown; `task_count` counts all of them."""

    step: RowMapping
    tasks: list[RowMapping]
    task_count: int
    done: int
    total: int | None
    unit: str
    ended: int
    """Tasks that succeeded."""


async def steps_of(connection: AsyncConnection, id: int, attempt: int, most_tasks: int) -> list[StepRows]:
    """The steps of an attempt, in order, each with its first `most_tasks` tasks."""
    mine = (steps.c.job_id == id, steps.c.attempt == attempt)
    found = (await connection.execute(select(steps).where(*mine).order_by(steps.c.index))).mappings().all()
    sums = await _sums(connection, id, attempt)
    shown = await _tasks(connection, id, attempt, most_tasks)
    nothing: tuple[int, int, None, str, int] = (0, 0, None, "", 0)
    return [StepRows(step, shown.get(step["index"], []), *sums.get(step["index"], nothing)) for step in found]


async def _sums(connection: AsyncConnection, id: int, attempt: int) -> dict[int, tuple[int, int, int | None, str, int]]:
    unknown = func.count() - func.count(tasks.c.total)
    succeeded = func.count().filter(tasks.c.state == "succeeded")
    query = (
        select(tasks.c.step_index, func.count(), func.sum(tasks.c.done), func.sum(tasks.c.total), unknown,
               func.max(tasks.c.unit), succeeded)
        .where(tasks.c.job_id == id, tasks.c.attempt == attempt)
        .group_by(tasks.c.step_index)
    )  # fmt: skip
    return {
        step: (count, int(done or 0), None if untold else int(total), unit or "", ended)
        for step, count, done, total, untold, unit, ended in await connection.execute(query)
    }


async def _tasks(connection: AsyncConnection, id: int, attempt: int, most: int) -> dict[int, list[RowMapping]]:
    columns = [c for c in tasks.c if c.name not in ("part", "cursor", "result")]
    mine = (tasks.c.job_id == id, tasks.c.attempt == attempt, tasks.c.index < most)
    query = select(*columns).where(*mine).order_by(tasks.c.step_index, tasks.c.index)
    found: dict[int, list[RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["step_index"], []).append(row)
    return found
