"""What jobs read and wrote, and how jobs hang together through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import jobs, lineage

SHOWN = 100
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


async def of_jobs(
    connection: AsyncConnection, rows: Sequence[RowMapping], most: int = SHOWN
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
    connection: AsyncConnection, job: int, project_id: int, direction: Direction, most: int = SHOWN
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
