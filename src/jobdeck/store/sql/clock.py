"""Time comes from the database: one clock for all machines. Tests bring their own."""

from __future__ import annotations

import time
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.sql.prepared import Prepared


class Clock(Protocol):
    """Tells the time of a transaction."""

    def question(self, dialect: str) -> Prepared | None:  # noqa: ARG002
        """What the database is to be asked along with other things as a transaction begins; None: `now` tells."""
        return None

    async def now(self, connection: AsyncConnection) -> int:
        """µs since 1970 UTC."""
        ...


class DatabaseClock(Clock):
    """The server's clock on PostgreSQL; on SQLite, where database and program are one, this machine's."""

    def question(self, dialect: str) -> Prepared | None:
        return None if dialect == "sqlite" else _POSTGRESQL_NOW

    async def now(self, connection: AsyncConnection) -> int:
        if connection.dialect.name == "sqlite":
            return time.time_ns() // 1000
        ((now,),) = await _POSTGRESQL_NOW.run(connection)
        return int(now)


_POSTGRESQL_NOW = Prepared(text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"))


class SetClock(Clock):
    """A clock that stands where it is put; for tests."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.time = now

    async def now(self, connection: AsyncConnection) -> int:  # noqa: ARG002
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += int(seconds * 1_000_000)
