"""Which sessions tell PostgreSQL's planner how to join: those of the engine's hot path, and no list or report."""

from __future__ import annotations

from jobdeck.store.segments.job_filter import JobFilter, Sort
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.store.views.job_lists import JobLists
from tests.store.desk import Desk

SWITCHES = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_nestloop")


async def _switches(connection: Connection) -> dict[str, str]:
    return {name: str((await connection.exec_driver_sql(f"SHOW {name}")).scalar_one()) for name in SWITCHES}


async def test_lists_and_reports_are_planned_freely(postgres_desk: Desk) -> None:
    database = postgres_desk.database
    async with database.read() as connection:
        assert set((await _switches(connection)).values()) == {"on"}
    async with database.read_one_moment() as connection:
        await JobLists().page(connection, JobFilter(), Sort(), None, 10)
        assert set((await _switches(connection)).values()) == {"on"}


async def test_so_are_writes_that_people_ask_for(postgres_desk: Desk) -> None:
    async def work(tx: Tx) -> dict[str, str]:
        return await _switches(tx.connection)

    assert set((await postgres_desk.database.transact(work)).values()) == {"on"}


async def test_what_the_engine_does_all_the_time_joins_by_keys(postgres_desk: Desk) -> None:
    database = postgres_desk.database

    async def work(tx: Tx) -> dict[str, str]:
        return await _switches(tx.connection)

    many = await database.transact(work, often=True)
    one = await database.transact(work, often=True, by_key=True)
    async with database.read(often=True) as connection:
        asked = await _switches(connection)
    for told in (many, one, asked):
        assert (told["enable_hashjoin"], told["enable_mergejoin"]) == ("off", "off")
    assert (many["enable_seqscan"], one["enable_seqscan"]) == ("on", "off")
