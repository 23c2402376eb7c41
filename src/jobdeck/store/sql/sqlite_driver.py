"""SQLite's driver: aiosqlite, whose thread runs several statements in one go. docs/driver.md says why."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast

import aiosqlite
import orjson
from sqlalchemy import ClauseElement, ColumnElement, Text, bindparam, func, type_coerce
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import clip
from jobdeck.store.sql.driver import Begun, Call, Cells, Columns, Compiled, Driver, Rows

_TOGETHER = "together"
"""Where a connection has the statements that are to be run together."""
_SQLITE = sqlite.dialect(paramstyle="qmark")
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL; not the same six characters after an escaped backslash, which are JSON within the JSON."""
PlacedCall = tuple[str, tuple[Any, ...]]
"""A statement, and its parameters in the order of their places."""


class SqliteConnection(aiosqlite.Connection):
    """aiosqlite's; between two of its calls the thread waits for the event loop, which costs as much as a statement."""

    def __init__(self, database: str, **options: Any) -> None:
        """With the arguments of `sqlite3.connect`."""
        super().__init__(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
        self._thread.daemon = True  # like SQLAlchemy's own: a process that ends does not wait for it
        self._is_stopping = False

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread, once. A second request would stay in its queue, and `close` would wait for it for ever: that
        happens where a close is under way and its caller is canceled, so that SQLAlchemy stops it by force as well."""
        if self._is_stopping:
            return None
        self._is_stopping = True
        return super().stop()

    async def execute_all(self, calls: Sequence[PlacedCall]) -> None:
        """Run `calls`, which give no rows, in order and up to the first that fails. None may follow that one: SQLite
        may have ended the transaction, and the next would be committed by itself."""
        await self._execute(self._run_all, calls)  # type: ignore[no-untyped-call]

    def _run_all(self, calls: Sequence[PlacedCall]) -> None:
        for text, parameters in calls:
            self._conn.execute(text, parameters).close()


class SqliteDriver(Driver):
    """Many rows travel as one JSON text: row by row, its thread would wait for the interpreter after each."""

    has_other_writers: ClassVar[bool] = False

    @staticmethod
    def compiled(statement: ClauseElement) -> Compiled:
        compiled = statement.compile(dialect=_SQLITE)
        return Compiled(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()), compiled.params or {})

    @staticmethod
    def rows(names: Sequence[str], columns: Columns, parameter: str) -> dict[str, ColumnElement[Any]]:
        source = func.json_each(bindparam(parameter, type_=Text())).table_valued("value", name=f"{parameter}_json")
        return {
            key: type_coerce(func.json_extract(source.c.value, f"$[{place}]"), columns[key])
            for place, key in enumerate(names)
        }

    @staticmethod
    def sent(cells: Cells, names: Sequence[str], columns: Columns, parameter: str) -> dict[str, Any]:  # noqa: ARG004
        """One text, named like no column's parameter, whatever the column is called."""
        return {parameter: _payload(list(zip(*(cells[key] for key in names), strict=True)))}

    async def run(self, connection: AsyncConnection, call: Call) -> Rows:
        text, parameters = placed(call)
        waiting: list[PlacedCall] | None = connection.info.get(_TOGETHER)
        if waiting is not None:
            waiting.append((text, parameters))
            return ()
        if not connection.in_transaction():
            await connection.begin()
        try:
            rows: Rows = await _below(connection).execute_fetchall(text, parameters)  # type: ignore[assignment]
        except sqlite3.Error as error:
            raise _told(text, error) from error
        return rows

    async def begin_with(self, connection: AsyncConnection, calls: Sequence[Call]) -> Begun:
        return Begun([await self.run(connection, call) for call in calls], _now())

    @asynccontextmanager
    async def together(self, connection: AsyncConnection, *, commits: bool = False) -> AsyncIterator[None]:  # noqa: ARG002
        """Those that pass SQLAlchemy by, and give no rows, are one call of the thread; any others run before them. The
        commit at the end of the transaction is a call of its own."""
        calls: list[PlacedCall] = []
        connection.info[_TOGETHER] = calls
        try:
            yield
        finally:
            del connection.info[_TOGETHER]
        if not calls:
            return
        if not connection.in_transaction():
            await connection.begin()
        try:
            await _below(connection).execute_all(calls)
        except sqlite3.Error as error:
            raise _told("(one of several)", error) from error

    async def is_idle(self, connection: AsyncConnection) -> bool:  # noqa: ARG002
        return True

    async def now(self, connection: AsyncConnection) -> int:  # noqa: ARG002
        """The time of this machine: database and program are one."""
        return _now()


def _now() -> int:
    return time.time_ns() // 1000


def _below(connection: AsyncConnection) -> SqliteConnection:
    """The driver's own connection below this one."""
    assert connection.sync_connection is not None
    return cast("SqliteConnection", connection.sync_connection.connection.driver_connection)


def placed(call: Call) -> PlacedCall:
    """The call as SQLite takes it."""
    statement, given, _ = call
    if statement.own:
        given = {**statement.own, **given}
    return statement.text, tuple(given[name] for name in statement.places)


def _told(text: str, error: sqlite3.Error) -> BaseException:
    """SQLAlchemy's error for one of the driver's."""
    return DBAPIError.instance(text, None, error, sqlite3.Error, dialect=_SQLITE)


def _payload(rows: Sequence[Sequence[Any]]) -> str:
    try:
        payload = orjson.dumps(rows).decode()
    except TypeError:  # lone surrogates are no characters
        clean = [[clip(value, len(value)) if isinstance(value, str) else value for value in row] for row in rows]
        payload = orjson.dumps(clean).decode()
    return _NUL.sub(r"\1\\u2400", payload) if r"\u0000" in payload else payload
