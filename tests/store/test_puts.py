"""What is set is there afterwards, whether it was before or not, and also where two set it at the same moment."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select, text

from jobdeck.store import limits, pauses
from jobdeck.store.schema import limits as limits_table
from jobdeck.store.schema import paused_scopes
from jobdeck.store.sql.database import Database, Tx
from tests.store.desk import Desk

_WAITS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def waits_for_a_lock(database: Database) -> bool:
    async with database.read() as connection:
        return bool((await connection.execute(text(_WAITS))).scalar_one())


async def test_set_again_it_has_the_new_values(desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        for capacity in (2, 5):
            await limits.put(tx, "type:a", None, capacity, "ann")
        for reason in ("first", None):
            await pauses.put(tx, "instance", "ann", reason)

    await desk.database.transact(work)
    async with desk.database.read() as connection:
        assert await limits.capacities(connection) == {"type:a": 5}
        (pause,) = (await pauses.all_pauses(connection)).values()
        assert pause.scope.reason is None
        assert (await connection.execute(select(func.count()).select_from(paused_scopes))).scalar_one() == 1


async def test_two_that_set_it_at_the_same_moment(desk: Desk) -> None:
    """The second one begins while the first has not ended; it waits, and what it says holds."""
    second: list[asyncio.Task[None]] = []

    async def first(tx: Tx) -> None:
        await limits.put(tx, "type:a", None, 2, "ann")
        second.append(asyncio.create_task(desk.database.transact(lambda tx: limits.put(tx, "type:a", None, 5, "ben"))))
        if desk.database.dialect == "postgresql":
            await asyncio.create_task(until_it_waits(desk.database))

    await desk.database.transact(first)
    await second[0]
    async with desk.database.read() as connection:
        rows = (await connection.execute(select(limits_table.c.capacity, limits_table.c.set_by))).all()
    assert [tuple(row) for row in rows] == [(5, "ben")]


async def until_it_waits(database: Database) -> None:
    async with asyncio.timeout(60):
        while not await waits_for_a_lock(database):  # noqa: ASYNC110  (nobody tells it; the database is asked)
            await asyncio.sleep(0.01)
