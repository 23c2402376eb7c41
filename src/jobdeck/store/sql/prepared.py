"""Statements of the engine's hot path: built and compiled once, executed thousands of times.

Composing a statement anew costs more than the database's work on it, and so does passing it through SQLAlchemy's
layers; so here SQLAlchemy writes the SQL, once for each database, and the driver runs it. Errors are SQLAlchemy's.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement, Dialect, Subquery
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg as postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.sql.batch import BatchShape, Cells, Columns, parameters_of, shape_of, shaped_table
from jobdeck.store.sql.sqlite_connection import Call

_TOGETHER = "together"
"""Where a connection to SQLite has the statements that are to be run together."""
Rows = Sequence[Sequence[Any]]
Build = Callable[[Subquery], ClauseElement]
"""Makes a statement over a batch. A function of a module: what it made for one shape of batch is kept."""


class Prepared:
    """A statement whose parameters are named by `bindparam`."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement: ClauseElement | None = statement

    def for_good(self, dialect: str) -> Prepared:
        """Itself, compiled for this database alone: what SQLAlchemy has of a statement takes six times its text."""
        _ = self._for_sqlite if dialect == "sqlite" else self._for_postgresql
        self._statement = None
        return self

    async def run(self, connection: AsyncConnection, **parameters: Any) -> Rows:
        """The rows that it gives, or none."""
        if connection.dialect.name == "sqlite":
            text, places, own = self._for_sqlite
            given = {**own, **parameters}
            return await _run_in_sqlite(connection, text, tuple(given[name] for name in places))
        text, own = self._for_postgresql
        return await _run_in_postgresql(connection, text, {**own, **parameters})

    async def run_batch(self, connection: AsyncConnection, shape: BatchShape, **parameters: Any) -> Rows:
        """`run` over a batch of this shape."""
        if connection.dialect.name == "sqlite":
            return await self.run(connection, **parameters)
        text, own = self._for_postgresql
        return await _run_in_postgresql(connection, text, {**own, **parameters}, prepare=_prepare(connection, shape))

    @property
    def _source(self) -> ClauseElement:
        if self._statement is None:
            raise RuntimeError("This statement was compiled for the other database.")
        return self._statement

    @cached_property
    def _for_postgresql(self) -> tuple[str, Mapping[str, Any]]:
        """The text, and the values that the statement itself names."""
        compiled = self._source.compile(dialect=_POSTGRESQL)
        return str(compiled), compiled.params or {}

    @cached_property
    def _for_sqlite(self) -> tuple[str, tuple[str, ...], Mapping[str, Any]]:
        """As for PostgreSQL, and the names of the parameters in the order of their places."""
        compiled = self._source.compile(dialect=_SQLITE)
        return str(compiled), tuple(getattr(compiled, "positiontup", None) or ()), compiled.params or {}


class BatchQuery(NamedTuple):
    """A statement over a batch, to be run later."""

    build: Build
    cells: Cells
    columns: Columns


async def begin_with(
    connection: AsyncConnection, questions: Sequence[BatchQuery], last: Prepared | None = None
) -> tuple[list[Rows], Rows]:
    """Begin a transaction; the answers to `questions`, and then to `last`.

    On PostgreSQL it is one trip: the driver, if it began by itself, would wait for the answer to that alone."""
    if connection.dialect.name == "sqlite":
        return [await run_batch(connection, *question) for question in questions], ()
    driver = await driver_of(connection)
    if not driver.autocommit:
        await driver.set_autocommit(True)
    async with pipeline(connection):
        await driver.execute("BEGIN")
        cursors = [await _put(driver, question, connection) for question in questions]
        if last is not None:
            cursors.append(await driver.execute(*last._for_postgresql))  # noqa: SLF001
    rows = [await cursor.fetchall() for cursor in cursors]
    return (rows, ()) if last is None else (rows[:-1], rows[-1])


async def _put(driver: Any, question: BatchQuery, connection: AsyncConnection) -> Any:
    """Send it; the cursor that will have the answer."""
    shape = shape_of(question.cells, "postgresql")
    text, own = _built(question.build, shape, tuple(question.columns.items()))._for_postgresql  # noqa: SLF001
    parameters = {**own, **parameters_of(question.cells, shape, question.columns)}
    return await driver.execute(text, parameters, prepare=_prepare(connection, shape))


PLANS_ONCE = "plans_once"
"""Where a connection to PostgreSQL has that its session keeps the plans it made first."""


def _prepare(connection: AsyncConnection, shape: BatchShape) -> bool | None:
    """Whether the driver prepares it; None: if it comes often. A kept plan is right as long as all rows are found by
    values; how best to join a batch depends on how much is in the table by now."""
    return False if shape.varying and PLANS_ONCE in connection.info else None


async def run_batch(
    connection: AsyncConnection, build: Build, cells: Cells, columns: Columns, key: Collection[str] = (), **also: Any
) -> Rows:
    """Run the statement that `build` makes of a batch with these `cells`; the rows that it gives, or none.

    `key`: the columns by which it finds rows. `also`: what else it names by `bindparam`."""
    shape = shape_of(cells, connection.dialect.name, key)
    statement = _built(build, shape, tuple(columns.items()))
    return await statement.run_batch(connection, shape, **parameters_of(cells, shape, columns), **also)


@lru_cache(maxsize=1000)
def _built(build: Build, shape: BatchShape, columns: tuple[tuple[str, Any], ...]) -> Prepared:
    return Prepared(build(shaped_table(shape, dict(columns)))).for_good(shape.dialect)


async def _run_in_sqlite(connection: AsyncConnection, text: str, parameters: tuple[Any, ...]) -> Rows:
    waiting: list[Call] | None = connection.info.get(_TOGETHER)
    if waiting is not None:
        waiting.append((text, parameters))
        return ()
    if not connection.in_transaction():
        await connection.begin()
    try:
        rows: Rows = await (await driver_of(connection)).execute_fetchall(text, parameters)
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, dialect=_SQLITE) from error
    return rows


async def _run_in_postgresql(
    connection: AsyncConnection, text: str, parameters: Mapping[str, Any], *, prepare: bool | None = None
) -> Rows:
    driver = await driver_of(connection)
    try:
        cursor = await driver.execute(text, parameters, prepare=prepare)
        return await cursor.fetchall() if cursor.description is not None else ()
    except _psycopg().Error as error:
        raise await _told(connection, driver, text, error) from error


async def _told(connection: AsyncConnection, driver: Any, text: str, error: Exception) -> BaseException:
    """SQLAlchemy's error for one of the driver's; a connection that broke is not used again."""
    if driver.closed:
        await connection.invalidate()
    return DBAPIError.instance(text, None, error, _psycopg().Error, dialect=_POSTGRESQL)


async def _run_all_in_sqlite(connection: AsyncConnection, calls: Sequence[Call]) -> None:
    if not calls:
        return
    if not connection.in_transaction():
        await connection.begin()
    try:
        await (await driver_of(connection)).execute_all(calls)
    except sqlite3.Error as error:
        raise DBAPIError.instance("(one of several)", None, error, sqlite3.Error, dialect=_SQLITE) from error


@asynccontextmanager
async def pipeline(connection: AsyncConnection) -> AsyncIterator[None]:
    """Around statements that travel together, so that none may need what another gives; an error is told last. (On
    SQLite those that pass SQLAlchemy by and give no rows do; any others run before them.)"""
    if connection.dialect.name == "sqlite":
        calls: list[Call] = []
        connection.info[_TOGETHER] = calls
        try:
            yield
        finally:
            del connection.info[_TOGETHER]
        await _run_all_in_sqlite(connection, calls)
        return
    driver = await driver_of(connection)
    try:
        async with driver.pipeline():
            yield
    except _psycopg().Error as error:
        raise await _told(connection, driver, "(one of several)", error) from error
    except asyncio.CancelledError:
        await connection.invalidate()  # broken off at the wrong moment, the driver never hears answers on it again
        raise


async def commit(connection: AsyncConnection) -> None:
    """Within `together`: on PostgreSQL commit along with what is there, so that no later commit has anything to do."""
    if connection.dialect.name == "postgresql":
        await (await driver_of(connection)).execute("COMMIT")


async def end(connection: AsyncConnection) -> None:
    """After a `commit` that was sent: a statement that follows by mistake is not committed by itself."""
    if connection.dialect.name == "postgresql":
        await (await driver_of(connection)).set_autocommit(False)


async def commit_alone(connection: AsyncConnection) -> None:
    """Commit what the driver has begun, if that was not done yet."""
    driver = await driver_of(connection)
    try:
        await driver.commit()
    except _psycopg().Error as error:
        raise await _told(connection, driver, "COMMIT", error) from error


async def is_idle(connection: AsyncConnection) -> bool:
    """Whether no transaction is open on it; on SQLite, which commits once more at no cost, nobody needs to know."""
    if connection.dialect.name == "sqlite":
        return True
    return bool((await driver_of(connection)).info.transaction_status == _psycopg().pq.TransactionStatus.IDLE)


async def driver_of(connection: AsyncConnection) -> Any:
    """The driver's own connection below this one."""
    there = connection.sync_connection
    if there is not None and not there.invalidated:  # as most of the time; the way below takes longer
        return there.connection.driver_connection
    return (await connection.get_raw_connection()).driver_connection


@cache
def _psycopg() -> Any:
    import psycopg

    return psycopg


_POSTGRESQL: Dialect = postgresql.PGDialect_psycopg(paramstyle="pyformat")  # type: ignore[no-untyped-call]
_SQLITE = sqlite.dialect(paramstyle="qmark")
