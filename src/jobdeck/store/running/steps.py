"""Read steps and tasks: for the runner that goes on from them, and after a resume."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.records import SavedStep, SavedTask
from jobdeck.core.life.states import StepState
from jobdeck.store.schema import steps, tasks
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Tx


async def saved(connection: AsyncConnection, job: int, attempt: int) -> list[SavedStep]:
    """The steps of one attempt with their tasks, in order."""
    by_step: dict[int, list[SavedTask]] = {}
    query = (
        select(tasks)
        .where(tasks.c.job_id == job, tasks.c.attempt == attempt)
        .order_by(tasks.c.step_index, tasks.c.index)
    )
    for t in (await connection.execute(query)).mappings():
        by_step.setdefault(t["step_index"], []).append(
            SavedTask(
                t["index"],
                t["key"],
                StepState(t["state"]),
                t["part"],
                t["cursor"],
                t["result"],
                t["tries"],
                t["failures"],
                t["done"],
                t["total"],
                t["unit"] or "",
            )
        )
    rows = select(steps).where(steps.c.job_id == job, steps.c.attempt == attempt).order_by(steps.c.index)
    return [
        SavedStep(s["index"], s["name"], StepState(s["state"]), tuple(by_step.get(s["index"], ())))
        for s in (await connection.execute(rows)).mappings()
    ]


async def failures_before(connection: AsyncConnection, job: int, attempt: int, step: int) -> dict[int, int]:
    """Failures of a step's tasks in the attempts before `attempt`, by task index."""
    query = (
        select(tasks.c.index, func.sum(tasks.c.failures))
        .where(tasks.c.job_id == job, tasks.c.attempt < attempt, tasks.c.step_index == step)
        .group_by(tasks.c.index)
    )
    return {index: int(count) for index, count in await connection.execute(query)}


async def forget_tries(tx: Tx, ids: list[int]) -> None:
    """After a person resumed a job, its tasks have all their tries again."""
    wanted = select(ids_of(ids).c.id)
    await tx.connection.execute(
        update(tasks).where(tasks.c.job_id.in_(wanted), tasks.c.state != str(StepState.SUCCEEDED)).values(tries=0)
    )
