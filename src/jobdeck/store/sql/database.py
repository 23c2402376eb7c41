"""The connection to the control database: read scopes, and write transactions that carry their time and events."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Dialect, RowMapping, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from jobdeck.core.errors import DiskFull, Unavailable
from jobdeck.store.sql.clock import Clock, DatabaseClock
from jobdeck.store.sql.events import NewEvent, append
from jobdeck.store.sql.postgres_connection import connecting
from jobdeck.store.sql.prepared import Question, Rows, ask_with, commit, is_idle, together
from jobdeck.store.sql.wakeups import Called, Wakeups

T = TypeVar("T")
Connection = AsyncConnection
Row = RowMapping
"""What readers get, by names that other layers may use."""
log = structlog.get_logger(__name__)

RETRIES = 5
IDLE_SECONDS = 1.0
"""Unused for longer than this, a connection is tried before it is used again."""
ANSWER_SECONDS = 25.0
"""How long a statement may take by our own clock, when not even the server's refusal to go on arrives."""
_POSTGRESQL_BOUNDS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=15s -c statement_timeout=20s"
"""A process that is frozen or cut off in a transaction must not keep its locks: they would hold up everyone else."""
_POSTGRESQL_PLANS = (
    "-c plan_cache_mode=force_custom_plan -c jit=off "
    "-c random_page_cost=1.1 -c enable_hashjoin=off -c enable_mergejoin=off"
)
"""A plan that was made once and kept, when the tables were still empty, would read all of them ever after. And all that
is joined here is joined by a key: the planner takes reading a whole table for cheaper while it is small, or not yet
counted, and takes ten times as long."""

_NO_ANSWER = (OperationalError, InterfaceError, PoolTimeout)
_BROKEN_OFF_SQLSTATES = {"25P03", "25P04"}
"""The server ended the session, and undid its transaction, because we were silent in it. To the driver that is a
mistake of ours."""
_RETRYABLE_SQLSTATES = {"40001", "40P01"} | _BROKEN_OFF_SQLSTATES
_IN_NOBODYS_WAY = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
"""Who only reads keeps no locks that others want."""


@dataclass(slots=True)
class Tx:
    """A write transaction: its connection, its time (µs), and the events that will be written at its end."""

    connection: AsyncConnection
    now: int
    dialect: str
    answer: Rows = ()
    """To the question that it was opened with."""

    events: list[NewEvent] = field(default_factory=list)

    told: bool = False
    """Whether events were written."""

    over: bool = False
    """Whether the last writes were made."""

    called: Called = None
    """The workers that its commit wakes up, all if nothing else is known; those who only look on are always woken."""

    def emit(self, *events: NewEvent) -> None:
        self.events.extend(events)

    @asynccontextmanager
    async def last_writes(self) -> AsyncIterator[None]:
        """Around the last statements of a transaction, none of which may read: they, the events and the commit go out
        together. It ends the transaction, so nothing may follow."""
        async with together(self.connection):
            yield
            if self.events:
                await append(self.connection, self.events, self.now, self.called)
                self.events, self.told = [], True
            await commit(self.connection)
        self.over = True


class Database:
    """SQLite (one process writes) or PostgreSQL, behind the same calls."""

    def __init__(
        self,
        url: str | URL,
        *,
        clock: Clock | None = None,
        wakeups: Wakeups | None = None,
        patience: float = ANSWER_SECONDS,
    ) -> None:
        """`patience`: seconds that PostgreSQL may take to answer a statement, whatever the reason."""
        self.url = make_url(url)
        self.clock = clock or DatabaseClock()
        self.wakeups = wakeups or Wakeups()
        self.dialect = self.url.get_backend_name()
        self._writer = _engine(self.url, self.dialect, patience, writes=True)
        self._reader = (
            _engine(self.url, self.dialect, patience, writes=False)
            if self.dialect == "sqlite"
            # Each statement sees what is committed, in a transaction or not: without one, two round trips are saved.
            else self._writer.execution_options(isolation_level="AUTOCOMMIT")
        )
        self._one_writer: asyncio.Lock | None = asyncio.Lock() if self.dialect == "sqlite" else None

    def sibling(self, patience: float = ANSWER_SECONDS) -> Database:
        """Another handle on the same database, for another thread's event loop; shares the clock and the wake-ups."""
        return Database(self.url, clock=self.clock, wakeups=self.wakeups, patience=patience)

    async def close(self) -> None:
        await self._writer.dispose()
        if self.dialect == "sqlite":
            await self._reader.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """For reading (on SQLite, from one snapshot); raises Unavailable when the database does not answer."""
        try:
            async with self._reader.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            if _is_no_answer(error):
                raise _unavailable(error) from error
            raise

    @asynccontextmanager
    async def read_one_moment(self) -> AsyncIterator[AsyncConnection]:
        """For reading by several statements what was there at one moment; raises Unavailable like `read`."""
        async with self.read() as connection:
            if self.dialect == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
                await connection.exec_driver_sql(_IN_NOBODYS_WAY)
            yield connection

    async def now(self) -> int:
        """The database's time, µs."""
        async with self.read() as connection:
            return await self.clock.now(connection)

    async def transact(self, work: Callable[[Tx], Awaitable[T]], opening: Question | None = None) -> T:
        """Run `work` in one write transaction and commit it with its events. The answer to `opening` is there when it
        begins: it came with the transaction's first trip to the database.

        `work` may run again from its start when the database asks for that (deadlock, serialization, our silence),
        so it must have no effect besides its statements. Raises Unavailable when the database does not answer."""
        for attempt in range(RETRIES):
            try:
                return await self._once(work, opening)
            except DBAPIError as error:
                if not _is_retryable(error) or attempt == RETRIES - 1:
                    if _is_no_answer(error):
                        raise _unavailable(error) from error
                    raise
                await asyncio.sleep(random.random() * 0.02 * 2**attempt)
            except PoolTimeout as error:
                raise _unavailable(error) from error
        raise AssertionError("unreachable")

    async def _once(self, work: Callable[[Tx], Awaitable[T]], opening: Question | None) -> T:
        if self._one_writer is None:
            return await self._commit(work, opening)
        async with self._one_writer:
            return await self._commit(work, opening)

    async def _commit(self, work: Callable[[Tx], Awaitable[T]], opening: Question | None) -> T:
        async with self._writer.begin() as connection:
            answer, now = await ask_with(connection, opening, partial(self.clock.now, connection))
            tx = Tx(connection, now, self.dialect, answer)
            result = await work(tx)
            if tx.over and (tx.events or not await is_idle(connection)):
                raise RuntimeError("Statements or events followed the last writes of a transaction; they are undone.")
            if tx.events:
                async with tx.last_writes():
                    pass
        if tx.told:
            self.wakeups.call(tx.called)
        return result


def _unavailable(error: DBAPIError | PoolTimeout) -> Unavailable:
    text = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    if _is_full(error):
        return DiskFull(
            f"The disk of the database is full: {text}", hint="Make room on it; everything then goes on by itself."
        )
    return Unavailable(f"The database does not answer: {text}", hint="Try again in a moment.")


def _is_no_answer(error: DBAPIError | PoolTimeout) -> bool:
    if isinstance(error, _NO_ANSWER):
        return True
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _BROKEN_OFF_SQLSTATES


def _is_full(error: DBAPIError | PoolTimeout) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) == "53100" or "disk is full" in str(cause)


def _is_retryable(error: DBAPIError) -> bool:
    sqlstate = getattr(error.orig, "sqlstate", None)
    return sqlstate in _RETRYABLE_SQLSTATES or "database is locked" in str(error.orig)


def _engine(url: URL, dialect: str, patience: float, *, writes: bool) -> AsyncEngine:
    if dialect != "sqlite":
        bounds = {"options": f"{_POSTGRESQL_BOUNDS} {_POSTGRESQL_PLANS}", "async_creator_fn": connecting(patience)}
        # The last one used is taken first: what was prepared in its session is there, and those not needed rest.
        pool = {"pool_size": 10, "max_overflow": 10, "pool_timeout": 10, "pool_use_lifo": True}
        engine = create_async_engine(url, connect_args=bounds, **pool)
        event.listen(engine.sync_engine, "checkin", _note_idle)
        event.listen(engine.sync_engine, "checkout", partial(_try_idle, engine.dialect))
        return engine
    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, pool_size=1 if writes else 4, max_overflow=0, pool_timeout=30
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _note_idle(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _try_idle(dialect: Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """A connection that was idle for a while may be gone; trying each one before each use would double the trips."""
    if time.monotonic() - record.info.get("idle_since", math.inf) < IDLE_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Durable and concurrent: a write-ahead log that is synced at each commit, foreign keys on, our own BEGIN."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=15000",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
