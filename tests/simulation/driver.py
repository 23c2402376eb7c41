"""SQLite in the loop's own thread behind SQLAlchemy's asynchronous interface, with a network in between that fails.

The statements are run by the real SQLite on a real file. What is simulated is the way there: it takes virtual time, it
breaks in the middle of transactions, and a commit whose answer is lost may have happened or not."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only, greenlet_spawn

from jobdeck.store.sql.driver import DRIVER
from jobdeck.store.sql.sqlite_driver import SqliteDriver
from tests.simulation.virtual_time import CURRENT, Machine

_WRITTEN = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")


class Network(Protocol):
    """What the way to the database does to a call: seconds that it takes, and an error that ends it, or None."""

    def on_begin(self, machine: Machine | None, *, writes: bool) -> tuple[float, Exception | None]: ...
    def on_statement(self, machine: Machine | None) -> tuple[float, Exception | None]: ...
    def on_answer(self, machine: Machine | None) -> float: ...
    def on_commit(self, machine: Machine | None) -> tuple[float, Exception | None, bool, float]:
        """Seconds before, the error, whether it is committed all the same, and seconds until the answer is there."""
        ...

    def committed(self, machine: Machine | None, tables: set[str]) -> None: ...
    def followed(self, machine: Machine | None) -> None: ...
    def say(self, text: str) -> None: ...


async def _way() -> None:
    """SQLAlchemy insists that a driver which calls itself asynchronous awaits something."""


def _lost() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("the connection was lost")


class Server:
    """The database server: one file, its connections, and the lock that makes writers wait for each other."""

    current: ClassVar[Server]

    def __init__(self, path: Path, network: Network) -> None:
        self._path = path
        self.network = network
        self.over = False
        """The world has ended: nothing that is still said counts."""
        self._idle: list[SimulatedConnection] = []
        self._open: list[SimulatedConnection] = []
        self._writer: SimulatedConnection | None = None
        self._queue: deque[tuple[SimulatedConnection, asyncio.Future[None]]] = deque()

    def connect(self) -> SimulatedConnection:
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = sqlite3.connect(
                self._path, factory=SimulatedConnection, isolation_level=None, check_same_thread=False
            )
            connection.server = self
            for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON"):
                sqlite3.Connection.execute(connection, f"PRAGMA {pragma}")
            self._open.append(connection)
        connection.machine = CURRENT.get()
        connection.broken = False
        connection.written.clear()
        return connection

    def give_back(self, connection: SimulatedConnection) -> None:
        connection.end()
        self._idle.append(connection)

    async def lock(self, connection: SimulatedConnection) -> None:
        if self._writer is None:
            self._writer = connection
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((connection, turn))
        await turn

    def unlock(self, connection: SimulatedConnection) -> None:
        if self._writer is not connection:
            for waiting, turn in self._queue:
                if waiting is connection and not turn.done():
                    turn.set_exception(_lost())
            return
        self._writer = None
        while self._queue and self._writer is None:
            next_one, turn = self._queue.popleft()
            if not turn.done():
                self._writer = next_one
                turn.set_result(None)

    def break_connections(self, machine: Machine, *, silent: bool = False) -> None:
        """The machine is dead: its transactions are rolled back. Of a silent one: what keeps others from writing."""
        writers = {self._writer, *(waiting for waiting, _ in self._queue)}
        for connection in self._open:
            if connection.machine is machine and connection not in self._idle:
                if silent and connection not in writers:
                    continue
                connection.end()
                connection.broken = True

    def close(self) -> None:
        for connection in self._open:
            sqlite3.Connection.close(connection)


class SimulatedConnection(sqlite3.Connection):
    """A connection through the network."""

    server: Server
    machine: Machine | None
    broken: bool
    written: set[str]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.written = set()
        self.broken = False

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(SimulatedCursor)

    async def execute_fetchall(self, sql: str, parameters: Any = ()) -> list[Any]:
        """As aiosqlite has it, for statements that pass SQLAlchemy by."""
        return await greenlet_spawn(lambda: self.cursor().execute(sql, parameters).fetchall())

    async def execute_all(self, calls: Sequence[tuple[str, Any]]) -> None:
        """As jobdeck.store.sql.sqlite_driver has it."""
        for sql, parameters in calls:
            await self.execute_fetchall(sql, parameters)

    def end(self) -> None:
        """Roll back whatever is open, and let the next writer go on."""
        if self.in_transaction:
            super().rollback()
        self.written.clear()
        self.server.unlock(self)

    def before(self, sql: str) -> None:
        """What happens on the way of a statement to the database."""
        await_only(_way())
        network = self.server.network
        if sql.startswith("BEGIN"):
            self._pass(*network.on_begin(self.machine, writes=sql == "BEGIN IMMEDIATE"))
            if sql == "BEGIN IMMEDIATE":
                await_only(self.server.lock(self))
        else:
            self._pass(*network.on_statement(self.machine))
            written = _WRITTEN.match(sql)
            if written:
                self.written.add(written[1])
            elif "FROM events" in sql:
                network.followed(self.machine)
        self._check()

    def after(self) -> None:
        """What happens on the way of the answer back."""
        seconds = self.server.network.on_answer(self.machine)
        if seconds:
            self._pass(seconds, None)

    def commit(self) -> None:
        if not self.in_transaction:
            self._check()
            return
        network, written = self.server.network, set(self.written)
        if not written:
            super().commit()
            self.end()
            return
        before, error, lands, after = network.on_commit(self.machine)
        self._pass(before, None)
        if error is not None and not lands:
            self._break()
            raise error
        super().commit()
        self.end()
        network.committed(self.machine, written)
        self._pass(after, error)

    def rollback(self) -> None:
        self.end()

    def close(self) -> None:
        self.server.give_back(self)

    def _pass(self, seconds: float, error: Exception | None) -> None:
        if seconds:
            await_only(asyncio.sleep(seconds))
        if error is not None:
            self._break()
            raise error
        self._check()

    def _break(self) -> None:
        self.end()
        self.broken = True

    def _check(self) -> None:
        if self.broken:
            raise _lost()


class SimulatedCursor(sqlite3.Cursor):
    """A cursor whose statements pass through the network."""

    connection: Any

    async def _async_soft_close(self) -> None:
        """All rows are here."""

    def execute(self, sql: str, parameters: Any = ()) -> SimulatedCursor:
        self.connection.before(sql)
        super().execute(sql, parameters)
        try:
            self.connection.after()
        except BaseException:
            self.close()  # a statement that was begun and not ended would keep its connection at that moment
            raise
        return self

    def executemany(self, sql: str, parameters: Iterable[Any]) -> SimulatedCursor:
        self.connection.before(sql)
        super().executemany(sql, parameters)
        return self


class SimulatedDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite, over the connections above."""

    driver = "simulated"
    is_async = True
    supports_statement_cache = True
    has_terminate = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        return Server.current.connect()

    def on_connect(self) -> None:  # type: ignore[override]
        return None

    begin = "BEGIN"

    def do_begin(self, dbapi_connection: Any) -> None:
        """At once: as a statement of SQLAlchemy's, as the real engine has it, it takes as long as all the others."""
        dbapi_connection.cursor().execute(self.begin)

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.close()


registry.register("sqlite.simulated", __name__, "SimulatedDialect")
URL = "sqlite+simulated://"


def make_engine(*, writes: bool) -> AsyncEngine:
    """One for all worlds: what costs time, the compilation of statements, is kept in it."""
    engine = create_async_engine(URL, poolclass=NullPool, execution_options={DRIVER: SqliteDriver()})
    dialect = engine.dialect
    assert isinstance(dialect, SimulatedDialect)
    dialect.begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    return engine
