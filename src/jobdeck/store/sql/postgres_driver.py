"""PostgreSQL's driver: psycopg, with statements that travel together. docs/driver.md says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import Boolean, ClauseElement, ColumnElement, Dialect, Text, bindparam, cast, column, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import psycopg as postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from jobdeck.core.values import clip
from jobdeck.store.sql.driver import Begun, Call, Cells, Columns, Compiled, Driver, Rows

_POSTGRESQL: Dialect = postgresql.PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]
_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"


class PostgresDriver(Driver):
    """Many rows travel as one array for each column."""

    has_other_writers: ClassVar[bool] = True

    def __init__(self, *, keeps_plans: bool = False) -> None:
        """`keeps_plans`: the sessions of its engine keep the plans that they made first. Such a plan is right as long
        as all rows are found by values; how best to join many rows depends on how much is in the table by now."""
        self._keeps_plans = keeps_plans

    @staticmethod
    def compiled(statement: ClauseElement) -> Compiled:
        compiled = statement.compile(dialect=_POSTGRESQL)
        return Compiled(str(compiled), (), compiled.params or {})

    @staticmethod
    def rows(names: Sequence[str], columns: Columns, parameter: str) -> dict[str, ColumnElement[Any]]:
        arrays = [cast(bindparam(f"{parameter}_{key}", type_=Text()), ARRAY(columns[key])) for key in names]
        source = func.unnest(*arrays).table_valued(
            *(column(key, columns[key]) for key in names), name=f"{parameter}_rows"
        )
        return dict(source.render_derived().c)

    @staticmethod
    def sent(cells: Cells, names: Sequence[str], columns: Columns, parameter: str) -> dict[str, Any]:
        return {f"{parameter}_{key}": _array(cells[key], columns[key]) for key in names}

    async def run(self, connection: AsyncConnection, call: Call) -> Rows:
        below = await below_of(connection)
        try:
            cursor = await self._send(below, call)
            return await cursor.fetchall() if cursor.description is not None else ()
        except _psycopg().Error as error:
            raise await _told(connection, below, call.statement.text, error) from error

    async def begin_with(self, connection: AsyncConnection, calls: Sequence[Call]) -> Begun:
        """The driver, if it began by itself, would wait for the answer to that alone."""
        below = await below_of(connection)
        if not below.autocommit:
            await below.set_autocommit(True)
        async with self.together(connection):
            await below.execute("BEGIN")
            cursors = [await self._send(below, call) for call in calls]
            time = await below.execute(_NOW)
        ((now,),) = await time.fetchall()
        return Begun([await cursor.fetchall() for cursor in cursors], int(now))

    @asynccontextmanager
    async def together(self, connection: AsyncConnection, *, commits: bool = False) -> AsyncIterator[None]:
        below = await below_of(connection)
        try:
            async with below.pipeline():
                yield
                if commits:
                    await self.send_commit(connection)
        except _psycopg().Error as error:
            raise await _told(connection, below, "(one of several)", error) from error
        except asyncio.CancelledError:
            await connection.invalidate()  # broken off at the wrong moment, the driver never hears answers on it again
            raise
        if commits:
            await below.set_autocommit(False)  # a statement that follows by mistake is not committed by itself

    async def send_commit(self, connection: AsyncConnection) -> None:
        """Along with what is there, so that no later commit has anything to do."""
        await (await below_of(connection)).execute("COMMIT")

    async def is_idle(self, connection: AsyncConnection) -> bool:
        below = await below_of(connection)
        return bool(below.info.transaction_status == _psycopg().pq.TransactionStatus.IDLE)

    async def now(self, connection: AsyncConnection) -> int:
        """The server's, one clock for all machines."""
        ((now,),) = await self.run(connection, Call(Compiled(_NOW, (), {}), {}))
        return int(now)

    async def _send(self, below: Any, call: Call) -> Any:
        """The cursor that has its answer, or will have it."""
        statement, parameters, over_many = call
        # Prepared: never, or (None) if it comes often.
        prepare = False if over_many and self._keeps_plans else None
        return await below.execute(statement.text, {**statement.own, **parameters}, prepare=prepare)


async def commit_alone(connection: AsyncConnection) -> None:
    """Commit what the driver has begun, if that was not done yet."""
    below = await below_of(connection)
    try:
        await below.commit()
    except _psycopg().Error as error:
        raise await _told(connection, below, "COMMIT", error) from error


async def below_of(connection: AsyncConnection) -> Any:
    """The driver's own connection below this one."""
    there = connection.sync_connection
    if there is not None and not there.invalidated:  # as most of the time; the way below takes longer
        return there.connection.driver_connection
    return (await connection.get_raw_connection()).driver_connection


async def _told(connection: AsyncConnection, below: Any, text: str, error: Exception) -> BaseException:
    """SQLAlchemy's error for one of the driver's; a connection that broke is not used again."""
    if below.closed:
        await connection.invalidate()
    return DBAPIError.instance(text, None, error, _psycopg().Error, dialect=_POSTGRESQL)


def _array(values: Sequence[Any], kind: TypeEngine[Any]) -> str:
    """An array as PostgreSQL reads it."""
    if isinstance(kind, Text):
        text = "{" + ",".join(["NULL" if v is None else f'"{_escaped(v)}"' for v in values]) + "}"
        return clip(text, len(text))
    if isinstance(kind, Boolean):
        return "{" + ",".join(["NULL" if v is None else "t" if v else "f" for v in values]) + "}"
    return "{" + ",".join(["NULL" if v is None else str(v) for v in values]) + "}"


def _escaped(text: str) -> str:
    if '"' in text or "\\" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text


@cache
def _psycopg() -> Any:
    import psycopg

    return psycopg
