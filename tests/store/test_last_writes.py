"""The last writes of a transaction travel with its commit; what follows them would be lost, so it is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from jobdeck.store.schema import paused_scopes
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.sql.statements import INT, TEXT, Prepared, insert_cells
from tests.store.desk import Desk


async def pause(tx: Tx, scope: str) -> None:
    await tx.connection.execute(insert(paused_scopes).values(scope=scope, by="ann", at=tx.now))


async def test_what_is_written_last_is_committed_with_its_events(desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        tx.emit(NewEvent("told"))
        async with tx.last_writes():
            await pause(tx, "instance")

    await desk.database.transact(work)
    assert [row["scope"] for row in await desk.rows("paused_scopes")] == ["instance"]
    assert [event.kind for event in await desk.events()][-1:] == ["told"]


async def test_an_error_among_the_last_writes_undoes_them_all(desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        tx.emit(NewEvent("told"))
        async with tx.last_writes():
            await pause(tx, "instance")
            await tx.connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    before = await desk.dump()
    with pytest.raises(Exception, match="no_such_table"):
        await desk.database.transact(work)
    assert await desk.dump() == before


async def test_nothing_is_run_after_the_one_that_failed(sqlite_desk: Desk) -> None:
    """SQLite ends the transaction by itself at some errors (here it is asked to); what came then would be committed."""
    name = text("INSERT OR ROLLBACK INTO projects (id, name, title, weight, created_at) VALUES (1, 'x', 'x', 1, 0)")

    async def work(tx: Tx) -> None:
        async with tx.last_writes():
            await Prepared(name).run(tx.connection)
            await insert_cells(tx.connection, paused_scopes, {"scope": ["instance"], "by": ["ann"], "at": [0]}, _PAUSE)

    before = await sqlite_desk.dump()
    with pytest.raises(DBAPIError, match="UNIQUE"):
        await sqlite_desk.database.transact(work)
    assert await sqlite_desk.dump() == before


_PAUSE = {"scope": TEXT, "by": TEXT, "at": INT}


async def test_an_event_after_the_last_writes_is_refused(desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        async with tx.last_writes():
            await pause(tx, "instance")
        tx.emit(NewEvent("too late"))

    with pytest.raises(RuntimeError, match="followed the last writes"):
        await desk.database.transact(work)
    assert "too late" not in [event.kind for event in await desk.events()]


async def test_a_statement_after_the_last_writes_is_refused(postgres_desk: Desk) -> None:
    async def work(tx: Tx) -> None:
        async with tx.last_writes():
            await pause(tx, "instance")
        await pause(tx, "project:default")

    with pytest.raises(RuntimeError, match="followed the last writes"):
        await postgres_desk.database.transact(work)
    assert [row["scope"] for row in await postgres_desk.rows("paused_scopes")] == ["instance"]
