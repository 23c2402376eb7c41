"""One job with all that is shown of it, what it read and wrote and how jobs hang together through that, and what a page
of jobs shows beside their rows: in one query each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, RowMapping, Select, Text, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED
from jobdeck.store.schema import (
    attempts,
    configurations,
    events,
    jobs,
    lineage,
    principals,
    projects,
    steps,
    tasks,
    tokens,
    workers,
)
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.sql.numbers import wide

MAX_LISTED_TEXT = 16 * 1024
"""Characters of parameters or result that a list shows; longer ones are left out of lists."""


def listed_columns(*, whole: bool) -> list[ColumnElement[Any]]:
    """The columns of jobs as views need them; with `whole`, long texts and the traceback too."""
    omitted = ("params", "result", "error_traceback", "dedupe_key", "secrets")
    columns: list[ColumnElement[Any]] = [c for c in jobs.c if c.name not in omitted]
    columns += [projects.c.name.label("project"), principals.c.name.label("created_by_name")]
    if whole:
        return [*columns, jobs.c.params, jobs.c.result, jobs.c.error_traceback, jobs.c.secrets]
    return [*columns, _short(jobs.c.params, "params"), _short(jobs.c.result, "result")]


def _short(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
    """The text if it is short enough for a list, else an empty one, which no JSON is."""
    return case((func.length(column) <= MAX_LISTED_TEXT, column), else_=literal("", Text())).label(name)


def joined(*columns: ColumnElement[Any]) -> Select[Any]:
    """A query of jobs with the names of their project and creator at hand."""
    return (
        select(*columns)
        .select_from(jobs)
        .join(projects, projects.c.id == jobs.c.project_id)
        .outerjoin(principals, principals.c.id == jobs.c.created_by)
    )


_WHOLE = joined(*listed_columns(whole=True))


async def get(connection: AsyncConnection, id: int) -> RowMapping | None:
    """The whole row of a job, with `project` and `created_by_name`."""
    found = await many(connection, [id])
    return found.get(id)


async def many(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, RowMapping]:
    """The whole rows of several jobs, by id."""
    rows = (await connection.execute(_WHOLE.where(jobs.c.id.in_(ids)))).mappings()
    return {row["id"]: row for row in rows}


async def project_of(connection: AsyncConnection, id: int) -> int | None:
    """The id of the job's project, None when there is no such job."""
    return (await projects_of(connection, [id])).get(id)


async def projects_of(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """The ids of the jobs' projects, by job."""
    query = select(jobs.c.id, jobs.c.project_id).where(jobs.c.id.in_(ids))
    return {row.id: row.project_id for row in await connection.execute(query)}


async def leftovers(connection: AsyncConnection, job_id: int) -> str | None:
    """What was left when the job was canceled, as its event tells."""
    mine = (events.c.job_id == job_id, events.c.kind == "canceled")
    query = select(events.c.data).where(*mine).order_by(events.c.id.desc()).limit(1)
    data = (await connection.execute(query)).scalar()
    found = json.loads(data).get("leftovers") if data else None
    return found if isinstance(found, str) else None


async def descendants(connection: AsyncConnection, job_id: int) -> dict[str, int]:
    """How many children the job has, and those have, in each state."""
    first = select(jobs.c.id, jobs.c.state, jobs.c.has_children).where(jobs.c.parent_id == job_id)
    below = first.cte("below", recursive=True)
    step = select(jobs.c.id, jobs.c.state, jobs.c.has_children)
    below = below.union_all(step.join(below, (jobs.c.parent_id == below.c.id) & below.c.has_children))
    query = select(below.c.state, func.count().label("jobs")).group_by(below.c.state)
    return {row.state: row.jobs for row in await connection.execute(query)}


async def unfinished_children(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[int, int]:
    """How many children of each job have not ended, by job; those with none are left out."""
    parents = [row["id"] for row in rows if row["has_children"]]
    if not parents:
        return {}
    open_ones = (jobs.c.parent_id.in_(parents), jobs.c.state.not_in([str(s) for s in ENDED]))
    query = select(jobs.c.parent_id, func.count().label("children")).where(*open_ones).group_by(jobs.c.parent_id)
    return {row.parent_id: row.children for row in await connection.execute(query)}


async def children_counts(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """How many children each of the jobs has; those with none are left out."""
    query = select(jobs.c.parent_id, func.count().label("children")).where(jobs.c.parent_id.in_(list(ids)))
    return {row.parent_id: row.children for row in await connection.execute(query.group_by(jobs.c.parent_id))}


@dataclass(frozen=True, slots=True)
class JobOrigin:
    """Names behind the numbers in a job's row; None where there is none, or it is gone."""

    token: str | None
    configuration: str | None
    host: str | None


async def origin(connection: AsyncConnection, row: RowMapping) -> JobOrigin:
    """The names of the job's token, configuration and its worker's host."""
    token = select(tokens.c.name).where(tokens.c.id == row["token_id"])
    configuration = select(configurations.c.name).where(configurations.c.id == row["configuration_id"])
    host = select(workers.c.host).where(workers.c.name == row["worker"])
    names = [
        (await connection.execute(query)).scalar() if row[column] is not None else None
        for query, column in ((token, "token_id"), (configuration, "configuration_id"), (host, "worker"))
    ]
    return JobOrigin(*names)


async def newest_events(
    connection: AsyncConnection, job: int, before: int | None, kinds: Sequence[str], limit: int
) -> list[StoredEvent]:
    """Up to `limit` events of the job with an id below `before` (None: any), newest first; of `kinds`, if there are."""
    query = select(events).where(events.c.job_id == job).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < wide(before))
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    return [
        StoredEvent(e.id, e.at, e.kind, e.project_id, e.job_id, e.actor, json.loads(e.data))
        for e in await connection.execute(query)
    ]


async def attempts_of(
    connection: AsyncConnection, id: int, after: int = 0, limit: int | None = None
) -> list[RowMapping]:
    """Rows of the job's attempts that have started, first to last: up to `limit`, those after the attempt `after`."""
    query = select(attempts).where(attempts.c.job_id == id, attempts.c.attempt > after).order_by(attempts.c.attempt)
    return list((await connection.execute(query.limit(limit))).mappings())


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


MOST_TASKS_TOGETHER = 10_000
"""Tasks of all steps of one answer, about; with more, each step shows fewer."""


async def steps_of(
    connection: AsyncConnection, id: int, attempt: int, most_tasks: int, after: int, limit: int
) -> list[StepRows]:
    """Up to `limit` steps of an attempt with an index above `after`, in order, each with its first tasks: `most_tasks`,
    or fewer where that would be too many together."""
    mine = (steps.c.job_id == id, steps.c.attempt == attempt, steps.c.index > after)
    query = select(steps).where(*mine).order_by(steps.c.index).limit(limit)
    found = (await connection.execute(query)).mappings().all()
    if not found:
        return []
    span = (tasks.c.job_id == id, tasks.c.attempt == attempt, tasks.c.step_index.between(
        found[0]["index"], found[-1]["index"]))  # fmt: skip
    sums = await _sums(connection, span)
    together = sum(min(most_tasks, count) for count, *_ in sums.values())
    most = most_tasks if together <= MOST_TASKS_TOGETHER else max(1, MOST_TASKS_TOGETHER // len(found))
    shown = await _tasks(connection, span, most) if most_tasks else {}
    nothing: tuple[int, int, None, str, int] = (0, 0, None, "", 0)
    return [StepRows(step, shown.get(step["index"], []), *sums.get(step["index"], nothing)) for step in found]


async def _sums(
    connection: AsyncConnection, span: Sequence[ColumnElement[bool]]
) -> dict[int, tuple[int, int, int | None, str, int]]:
    unknown = func.count() - func.count(tasks.c.total)
    succeeded = func.count().filter(tasks.c.state == "succeeded")
    query = (
        select(tasks.c.step_index, func.count(), func.sum(tasks.c.done), func.sum(tasks.c.total), unknown,
               func.max(tasks.c.unit), succeeded)
        .where(*span)
        .group_by(tasks.c.step_index)
    )  # fmt: skip
    return {
        step: (count, int(done or 0), None if untold else int(total), unit or "", ended)
        for step, count, done, total, untold, unit, ended in await connection.execute(query)
    }


async def _tasks(
    connection: AsyncConnection, span: Sequence[ColumnElement[bool]], most: int
) -> dict[int, list[RowMapping]]:
    columns = [c for c in tasks.c if c.name not in ("part", "cursor", "result", "error_traceback")]
    query = select(*columns).where(*span, tasks.c.index < most).order_by(tasks.c.step_index, tasks.c.index)
    found: dict[int, list[RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["step_index"], []).append(row)
    return found


SHOWN_OBJECTS = 100
"""Objects shown of one job and direction, at most."""

Direction = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class LineageRow:
    """An object that a job read or wrote in an attempt, its tasks' rows and bytes added up."""

    job: int
    attempt: int
    direction: str
    object: str
    version: str | None
    rows: int | None
    bytes: int | None
    name: str | None = None
    moved: int = 0
    """Bytes of all objects that the job read, or wrote, those that are not shown included."""


async def lineage_of(
    connection: AsyncConnection, rows: Sequence[RowMapping], most: int = SHOWN_OBJECTS
) -> dict[int, list[LineageRow]]:
    """What each of the jobs (rows of jobs) touched in its present attempt, first things first, by job."""
    ids = [row["id"] for row in rows]
    if not ids:
        return {}
    group = (lineage.c.job_id, lineage.c.attempt, lineage.c.direction, lineage.c.object, lineage.c.version)
    first = func.min(lineage.c.id)
    place = func.row_number().over(partition_by=(lineage.c.job_id, lineage.c.direction), order_by=first).label("place")
    grouped = (
        select(
            *group,
            func.sum(lineage.c.rows).label("rows"),
            func.sum(lineage.c.bytes).label("bytes"),
            func.min(lineage.c.name).label("name"),
            func.sum(func.sum(lineage.c.bytes)).over(partition_by=group[:3]).label("moved"),
            first.label("first"),
            place,
        )
        .join(jobs, (jobs.c.id == lineage.c.job_id) & (jobs.c.attempt == lineage.c.attempt))
        .where(lineage.c.job_id.in_(ids))
        .group_by(*group)
        .subquery()
    )
    query = select(grouped).where(grouped.c.place <= most).order_by(grouped.c.first)
    found: dict[int, list[LineageRow]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["job_id"], []).append(_touched(row))
    return found


async def neighbours(
    connection: AsyncConnection, job: int, project_id: int, direction: Direction, most: int = SHOWN_OBJECTS
) -> list[int]:
    """Other jobs of the project that wrote what `job` read (`input`), or that read what it wrote (`output`)."""
    mine = select(lineage.c.object).where(lineage.c.job_id == job, lineage.c.direction == direction)
    other: Direction = "output" if direction == "input" else "input"
    query = (
        select(lineage.c.job_id)
        .join(jobs, jobs.c.id == lineage.c.job_id)
        .where(
            lineage.c.object.in_(mine),
            lineage.c.direction == other,
            lineage.c.job_id != job,
            jobs.c.project_id == project_id,
        )
        .distinct()
        .order_by(lineage.c.job_id.desc())
        .limit(most)
    )
    return sorted((await connection.execute(query)).scalars())


def _touched(row: RowMapping) -> LineageRow:
    rows, size = row["rows"], row["bytes"]
    return LineageRow(
        row["job_id"], row["attempt"], row["direction"], row["object"], row["version"],
        None if rows is None else int(rows), None if size is None else int(size), row["name"],
        int(row["moved"] or 0),
    )  # fmt: skip
