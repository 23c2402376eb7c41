"""Statements that PostgreSQL plans once: made while the tables are small, the plans must be right ever after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jobdeck.core.life.endings import Finished
from jobdeck.core.life.records import JobLeft, PlannedTask, StepClosed, StepOpened, TaskEnded
from jobdeck.core.life.states import StepState
from jobdeck.store.jobs import jobs
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.store.sql.postgres_driver import PostgresDriver, below_of
from tests.store.desk import Desk, new_job

OFTEN = 8
"""The driver prepares a statement that it meets for the sixth time."""
MANY = 2000
_MORE = (
    "INSERT INTO {0} SELECT (jsonb_populate_record(t, jsonb_build_object('job_id', 1000000 + n))).*"
    f" FROM {{0}} AS t, generate_series(1, {MANY}) AS n WHERE t.job_id = {OFTEN + 1}"
)


async def _live(desk: Desk, tasks: int) -> None:
    """A job from submit to end, with a step of so many tasks."""
    (job,) = await desk.submit(new_job())
    assert await desk.assign(job) == {job}
    running = await desk.job(job)
    opened = StepOpened(0, "load", 1.0, tuple(PlannedTask(i, str(i)) for i in range(tasks)))
    ended = [TaskEnded(0, i, StepState.SUCCEEDED) for i in range(tasks)]
    assert await desk.write(running, opened)
    assert await desk.write(running, *ended, StepClosed(0, StepState.SUCCEEDED))
    assert await desk.write(running, JobLeft(Finished()))


@asynccontextmanager
async def _reads(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """What the transactions that commit meanwhile on such sessions read: table, scans of the whole, rows read by
    indexes; and last how many statements over many rows and how many over one have plans that are kept."""
    told: list[Any] = []
    commit = PostgresDriver.send_commit

    async def counted(self: PostgresDriver, connection: Connection) -> None:
        driver = await below_of(connection)
        cursor = await driver.execute(
            "SELECT relname, seq_scan, coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
            " WHERE (seq_scan > 0 OR idx_tup_fetch > 0) AND current_setting('plan_cache_mode') <> 'force_custom_plan'"
        )
        told.extend(await cursor.fetchall())
        cursor = await driver.execute(
            "SELECT 'plans', count(*) FILTER (WHERE many), count(*) FILTER (WHERE generic_plans > 0 AND NOT many)"
            " FROM (SELECT statement LIKE '%un' || 'nest%' AS many, generic_plans FROM pg_prepared_statements) AS kept"
            " WHERE current_setting('plan_cache_mode') = 'force_generic_plan'"
        )
        told.extend(await cursor.fetchall())
        await driver.execute("SELECT pg_stat_force_next_flush()")  # else the next one is told of this one, too
        await commit(self, connection)

    with monkeypatch.context() as patch:
        patch.setattr(PostgresDriver, "send_commit", counted)
        yield told


@pytest.mark.parametrize("tasks", [1, 3])
async def test_plans_made_on_small_tables_read_no_table_as_a_whole(
    postgres_desk: Desk, monkeypatch: pytest.MonkeyPatch, tasks: int
) -> None:
    """Neither by a scan nor by all of an index, which is the better plan where there are two rows."""
    desk = postgres_desk
    await _live(desk, tasks)
    await desk.sql("ANALYZE")  # so that it knows how small they are
    for _ in range(OFTEN):
        await _live(desk, tasks)
    await desk.submit(*[new_job() for _ in range(MANY)])
    for table in ("attempts", "steps", "tasks"):
        await desk.sql(_MORE.format(table))
    async with _reads(monkeypatch) as told:
        await _live(desk, tasks)
        told.clear()
        await _live(desk, tasks)
    assert not [row for row in told if row[1]]
    most = max(rows for table, _, rows in told if table in ("jobs", "leases", "attempts", "steps", "tasks"))
    assert 0 < most <= 2 * tasks
    assert max(plans for name, _, plans in told if name == "plans") > OFTEN


async def test_children_are_found_by_their_parent(postgres_desk: Desk) -> None:
    """While nearly all jobs are children of one, walking through all by their ids looks as cheap."""
    desk = postgres_desk
    parent = await desk.running()
    await desk.submit(*[new_job(parent=parent.id) for _ in range(40)])
    await desk.sql("ANALYZE jobs")

    async def look(tx: Tx) -> None:
        await jobs.children_of(tx.connection, [parent.id])

    async def plans(tx: Tx) -> list[str]:
        driver = await below_of(tx.connection)
        kept = await driver.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%jobs.parent_id%'")
        (name,) = [name for (name,) in await kept.fetchall() if not name.startswith("pg_")]
        return [line for (line,) in await (await driver.execute(f"EXPLAIN EXECUTE {name}(NULL)")).fetchall()]

    for _ in range(OFTEN):
        await desk.database.transact(look, by_key=True)
    plan = await desk.database.transact(plans, by_key=True)
    assert any("Index Cond" in line and "parent_id" in line for line in plan), plan
