"""Statements of the engine's hot path: built and compiled once, executed thousands of times.

Composing a statement anew costs more than the database's work on it, and so does passing it through SQLAlchemy's
layers; so here SQLAlchemy writes the SQL, once for each database, and the driver runs it. Errors are SQLAlchemy's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ClauseElement, Dialect, Subquery
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg as postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.sql.batch import Cells, Columns, Shape, parameters_of, shape_of, shaped_table

T = TypeVar("T")
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

    async def first_of_transaction(self, connection: AsyncConnection, **parameters: Any) -> Sequence[Any]:
        """Its one row. As the first statement of a transaction on PostgreSQL it travels together with the BEGIN."""
        if connection.dialect.name == "sqlite":
            return (await self.run(connection, **parameters))[0]
        text, own = self._for_postgresql
        driver = await driver_of(connection)
        async with together(connection):
            cursor = await driver.execute(text, {**own, **parameters})
        row: Sequence[Any] = await cursor.fetchone()
        return row

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


class Question(NamedTuple):
    """A statement over a batch, to be run later."""

    build: Build
    cells: Cells
    columns: Columns


async def ask_with(
    connection: AsyncConnection, question: Question | None, also: Callable[[], Awaitable[T]]
) -> tuple[Rows, T]:
    """The answer to `question`, and what `also` gives. On PostgreSQL both travel together, and with a BEGIN."""
    if question is None:
        return (), await also()
    if connection.dialect.name == "sqlite":
        given = await also()
        return await run_batch(connection, *question), given
    shape = shape_of(question.cells, connection.dialect.name)
    text, own = _built(question.build, shape, tuple(question.columns.items()))._for_postgresql  # noqa: SLF001
    driver = await driver_of(connection)
    async with together(connection):
        cursor = await driver.execute(text, {**own, **parameters_of(question.cells, shape, question.columns)})
        given = await also()
    return await cursor.fetchall(), given


async def run_batch(
    connection: AsyncConnection, build: Build, cells: Cells, columns: Columns, key: Collection[str] = (), **also: Any
) -> Rows:
    """Run the statement that `build` makes of a batch with these `cells`; the rows that it gives, or none.

    `key`: the columns by which it finds rows. `also`: what else it names by `bindparam`."""
    shape = shape_of(cells, connection.dialect.name, key)
    statement = _built(build, shape, tuple(columns.items()))
    return await statement.run(connection, **parameters_of(cells, shape, columns), **also)


@lru_cache(maxsize=1000)
def _built(build: Build, shape: Shape, columns: tuple[tuple[str, Any], ...]) -> Prepared:
    return Prepared(build(shaped_table(shape, dict(columns)))).for_good("sqlite" if shape.json else "postgresql")


async def _run_in_sqlite(connection: AsyncConnection, text: str, parameters: tuple[Any, ...]) -> Rows:
    if not connection.in_transaction():
        await connection.begin()
    try:
        rows: Rows = await (await driver_of(connection)).execute_fetchall(text, parameters)
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, dialect=_SQLITE) from error
    return rows


async def _run_in_postgresql(connection: AsyncConnection, text: str, parameters: Mapping[str, Any]) -> Rows:
    driver = await driver_of(connection)
    try:
        cursor = await driver.execute(text, parameters)
        return await cursor.fetchall() if cursor.description is not None else ()
    except _psycopg().Error as error:
        raise await _told(connection, driver, text, error) from error


async def _told(connection: AsyncConnection, driver: Any, text: str, error: Exception) -> BaseException:
    """SQLAlchemy's error for one of the driver's; a connection that broke is not used again."""
    if driver.closed:
        await connection.invalidate()
    return DBAPIError.instance(text, None, error, _psycopg().Error, dialect=_POSTGRESQL)


@asynccontextmanager
async def together(connection: AsyncConnection) -> AsyncIterator[None]:
    """Around statements that give no rows: on PostgreSQL they travel together, and an error is told last."""
    if connection.dialect.name == "sqlite":
        yield
        return
    driver = await driver_of(connection)
    try:
        async with driver.pipeline():
            yield
    except _psycopg().Error as error:
        raise await _told(connection, driver, "(one of several)", error) from error


async def commit(connection: AsyncConnection) -> None:
    """Within `together`: on PostgreSQL commit along with what is there, so that no later commit has anything to do."""
    if connection.dialect.name == "postgresql":
        await (await driver_of(connection)).execute("COMMIT")


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
