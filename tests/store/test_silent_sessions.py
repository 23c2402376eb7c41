"""A process that froze among statements that travel together loses its session, and so its locks; nobody else does."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from sqlalchemy import text

from jobdeck.core.errors import Unavailable
from jobdeck.store.sql import silent_sessions
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.postgres_driver import below_of
from jobdeck.store.sql.statements import driver_of
from tests.store.desk import Desk


async def lock(tx: Tx, job: int) -> None:
    await (await below_of(tx.connection)).execute("SELECT id FROM jobs WHERE id = %s FOR UPDATE", [job])


async def end(database: Database, seconds: float) -> int:
    async with database.read() as connection:
        return await silent_sessions.end(connection, seconds)


async def test_one_that_is_silent_among_its_statements_is_ended(postgres_desk: Desk) -> None:
    database, job = postgres_desk.database, await postgres_desk.one()
    other = database.sibling()
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def frozen(tx: Tx) -> None:
        async with driver_of(tx.connection).together(tx.connection):
            await lock(tx, job)
            locked.set()
            await go_on.wait()

    freezing = asyncio.create_task(other.transact(frozen))
    await locked.wait()
    waiting = asyncio.create_task(database.transact(lambda tx: lock(tx, job)))
    assert await end(database, 3600.0) == 0
    assert not waiting.done()
    async with asyncio.timeout(20):
        ended = 0
        while not waiting.done():
            ended += await end(database, 0.2)
            await asyncio.wait([waiting], timeout=0.05)
        await waiting
    assert ended == 1
    go_on.set()
    with pytest.raises(Unavailable):
        await freezing
    await other.close()


async def test_one_that_is_silent_in_a_transaction_is_ended(postgres_desk: Desk) -> None:
    plain = str(postgres_desk.database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    with psycopg.connect(plain) as silent:
        silent.execute("SELECT pg_advisory_xact_lock(1)")
        assert await end(postgres_desk.database, 3600.0) == 0
        assert await end(postgres_desk.database, 0.0) == 1
        with pytest.raises(psycopg.OperationalError):
            silent.execute("SELECT 2")


async def test_one_that_only_reads_may_take_its_time(postgres_desk: Desk) -> None:
    database = postgres_desk.database
    reading = database.sibling()
    async with reading.read_one_moment() as connection:
        before = (await connection.execute(text("SELECT count(*) FROM jobs"))).scalar()
        await postgres_desk.one()
        assert await end(database, 0.0) == 0
        assert (await connection.execute(text("SELECT count(*) FROM jobs"))).scalar() == before
        patience = await connection.execute(text("SHOW idle_in_transaction_session_timeout"))
        assert patience.scalar() == "1min"
    await reading.close()


async def test_those_that_rest_or_work_are_left_alone(postgres_desk: Desk) -> None:
    database = postgres_desk.database
    plain = str(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    with psycopg.connect(plain, autocommit=True) as resting, psycopg.connect(plain) as working:
        resting.execute("SELECT 1")
        work = asyncio.create_task(asyncio.to_thread(lambda: working.execute("SELECT 3 FROM pg_sleep(0.6)").fetchone()))
        await asyncio.sleep(0.3)  # so long it has worked
        assert await end(database, 0.0) == 0
        assert resting.execute("SELECT 2").fetchone() == (2,)
        assert await work == (3,)
