"""PostgreSQL sessions for what is done often and is short: the one used last is at hand for the next."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobdeck.store.sql.engines import IDLE_SECONDS
from jobdeck.store.sql.postgres_driver import below_of, commit_alone

KEPT = 3
"""Sessions that are at hand at the same time; what is needed besides goes through the pool."""


class Sessions:
    """Transactions on sessions of a pool, which SQLAlchemy neither begins nor ends: they begin with their first
    statement, and most commit with their last. For a transaction of 2 ms that is a tenth of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: list[tuple[AsyncConnection, float]] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed at the end, if it was not already, and undone by any error."""
        connection = await self._take()
        try:
            yield connection
            await _commit(connection)
        except BaseException:
            await asyncio.shield(connection.close())  # to the pool, which undoes what is open
            raise
        await self._keep(connection)

    async def close(self) -> None:
        """Give back to the pool what is at hand."""
        while self._kept:
            await self._kept.pop()[0].close()

    async def _take(self) -> AsyncConnection:
        while self._kept:
            connection, since = self._kept.pop()
            if not _rested(since) or await _answers(connection):
                return connection
            await self._drop_rested()
        return await self._engine.connect()

    async def _drop_rested(self) -> None:
        """Where one does not answer, the others that rested are not waited for, too."""
        rested = [connection for connection, since in self._kept if _rested(since)]
        self._kept = [kept for kept in self._kept if kept[0] not in rested]
        for connection in rested:
            await _forget(connection)

    async def _keep(self, connection: AsyncConnection) -> None:
        if len(self._kept) < KEPT:
            self._kept.append((connection, time.monotonic()))
        else:
            await connection.close()


def _rested(since: float) -> bool:
    return time.monotonic() - since >= IDLE_SECONDS


async def _answers(connection: AsyncConnection) -> bool:
    """Whether the session is still there; one that is not is taken out of the pool."""
    try:
        below = await below_of(connection)
        await below.set_autocommit(True)  # the question opens no transaction
        await below.execute("SELECT 1")
    except connection.dialect.loaded_dbapi.Error:
        await _forget(connection)
        return False
    except BaseException:
        await asyncio.shield(_forget(connection))
        raise
    return True


async def _forget(connection: AsyncConnection) -> None:
    await connection.invalidate()
    await connection.close()


async def _commit(connection: AsyncConnection) -> None:
    if connection.in_transaction():  # begun by a statement that went through SQLAlchemy
        await connection.commit()
    else:
        await commit_alone(connection)
