"""The connection to the control database: read scopes, and write transactions that carry their time and events."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog
from sqlalchemy import RowMapping, Table, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobdeck.core.errors import DiskFull, Unavailable
from jobdeck.store.sql.clock import Clock
from jobdeck.store.sql.driver import DRIVER, Driver, Rows
from jobdeck.store.sql.engines import Planning, postgres_engine, sqlite_engine
from jobdeck.store.sql.events import NewEvent, append
from jobdeck.store.sql.sessions import Sessions
from jobdeck.store.sql.statements import BatchQuery, begin_with, driver_of
from jobdeck.store.sql.wakeups import Called, Wakeups

T = TypeVar("T")
Connection = AsyncConnection
Row = RowMapping
"""What readers get, by names that other layers may use."""
log = structlog.get_logger(__name__)

RETRIES = 5
ANSWER_SECONDS = 25.0
"""How long a statement may take by our own clock, when not even the server's refusal to go on arrives."""
_NO_ANSWER = (OperationalError, InterfaceError, PoolTimeout)
_BROKEN_OFF_SQLSTATES = {"25P03", "25P04"}
"""The server ended the session, and undid its transaction, because we were silent in it. To the driver that is a
mistake of ours."""
_WRITTEN_MEANWHILE = {"23505"}
"""Another transaction wrote a row with the same key after this one had looked for it and found none. The second time it
is found, and what was meant (to change it, or to say that the name is taken) is done."""
_RETRYABLE_SQLSTATES = {"40001", "40P01"} | _BROKEN_OFF_SQLSTATES | _WRITTEN_MEANWHILE
_IN_NOBODYS_WAY = "SET LOCAL idle_in_transaction_session_timeout = '60s'"
"""Who only reads keeps no locks that others want."""


@dataclass(slots=True)
class Tx:
    """A write transaction: its connection, its time (µs), and the events that will be written at its end."""

    connection: AsyncConnection
    now: int
    answers: Sequence[Rows] = ()
    """To the questions that it was opened with."""

    events: list[NewEvent] = field(default_factory=list)

    told: bool = False
    """Whether events were written."""

    over: bool = False
    """Whether the last writes were made."""

    called: Called = None
    """Whom its commit wakes up, by name; all if nothing else is known. Those who only look on are always woken."""

    def emit(self, *events: NewEvent) -> None:
        self.events.extend(events)

    async def put(self, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """The row with this key, which is unique, has these values from now on, whether it was there or not. Who puts
        the same row at the same moment waits."""
        insert = postgresql.insert if self.connection.dialect.name == "postgresql" else sqlite.insert
        new = insert(table).values({**key, **values})
        await self.connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=dict(values)))

    @asynccontextmanager
    async def last_writes(self) -> AsyncIterator[None]:
        """Around the last statements of a transaction, none of which may read: they, the events and the commit go out
        together. It ends the transaction, so nothing may follow."""
        async with driver_of(self.connection).together(self.connection, commits=True):
            yield
            if self.events:
                await append(self.connection, self.events, self.now, self.called)
                self.events, self.told = [], True
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
        self.wakeups = wakeups or Wakeups()
        self.dialect = self.url.get_backend_name()
        self.wrote_at = -math.inf
        """When it took the last write of this process (`time.monotonic()`)."""
        self._one_writer: asyncio.Lock | None = None
        self._at_hand: _AtHand | None = None
        if self.dialect == "sqlite":
            self._writer = sqlite_engine(self.url, writes=True)
            self._reader = sqlite_engine(self.url, writes=False)
            self._one_writer = asyncio.Lock()
        else:
            self._writer = postgres_engine(self.url, patience)
            # Each statement sees what is committed, in a transaction or not: without one, two round trips are saved.
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")
            many = postgres_engine(self.url, patience, Planning.BY_INDEX)
            one = postgres_engine(self.url, patience, Planning.ONCE)
            self._at_hand = _AtHand(many, one)
        driver: Driver = self._writer.sync_engine.get_execution_options()[DRIVER]
        self._own_clock = clock
        self.clock: Clock = clock or driver

    def sibling(self, patience: float = ANSWER_SECONDS) -> Database:
        """Another handle on the same database, for another thread's event loop; shares the clock and the wake-ups."""
        return Database(self.url, clock=self._own_clock, wakeups=self.wakeups, patience=patience)

    async def close(self) -> None:
        if self._at_hand is not None:
            await self._at_hand.close()
        await self._reader.dispose()
        await self._writer.dispose()

    @asynccontextmanager
    async def read(self, *, often: bool = False) -> AsyncIterator[AsyncConnection]:
        """For reading (on SQLite, from one snapshot); raises Unavailable when the database does not answer.

        `often`: the engine asks it all the time, and gets a session that is at hand and joins by keys alone."""
        opened = self._at_hand.reads.begin() if often and self._at_hand else self._reader.connect()
        try:
            async with opened as connection:
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

    async def transact(
        self, work: Callable[[Tx], Awaitable[T]], *opening: BatchQuery, often: bool = False, by_key: bool = False
    ) -> T:
        """Run `work` in one write transaction and commit it with its events. The answers to `opening`, asked in this
        order, are there when it begins: they came with the transaction's first trip to the database. `often`: the
        engine does it all the time, and gets a session that joins by keys alone. `by_key`: so it does, and it concerns
        few rows, each found by its key: it gets one at hand that need not plan it each time.

        `work` may run again from its start when the database asks for that (deadlock, serialization, our silence),
        so it must have no effect besides its statements. Raises Unavailable when the database does not answer."""
        for attempt in range(RETRIES):
            try:
                return await self._once(work, opening, often, by_key)
            except DBAPIError as error:
                if not _is_retryable(error) or attempt == RETRIES - 1:
                    if _is_no_answer(error):
                        raise _unavailable(error) from error
                    raise
                await asyncio.sleep(random.random() * 0.02 * 2**attempt)
            except PoolTimeout as error:
                raise _unavailable(error) from error
        raise AssertionError("unreachable")

    async def _once(
        self, work: Callable[[Tx], Awaitable[T]], opening: Sequence[BatchQuery], often: bool, by_key: bool
    ) -> T:
        if self._one_writer is None:
            return await self._commit(self._begin(often, by_key), work, opening)
        async with self._one_writer:
            return await self._commit(self._writer.begin(), work, opening)

    def _begin(self, often: bool, by_key: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        if self._at_hand and by_key:
            return self._at_hand.writes.begin()
        if self._at_hand and often:
            return self._at_hand.many.begin()
        return self._writer.begin()

    async def _commit(
        self,
        begun: AbstractAsyncContextManager[AsyncConnection],
        work: Callable[[Tx], Awaitable[T]],
        opening: Sequence[BatchQuery],
    ) -> T:
        async with begun as connection:
            answers, now = await begin_with(connection, opening)
            if self._own_clock is not None:
                now = await self._own_clock.now(connection)
            tx = Tx(connection, now, answers)
            result = await work(tx)
            if tx.over and (tx.events or not await driver_of(connection).is_idle(connection)):
                raise RuntimeError("Statements or events followed the last writes of a transaction; they are undone.")
            if tx.events:
                async with tx.last_writes():
                    pass
        self.wrote_at = time.monotonic()
        if tx.told:
            self.wakeups.call(tx.called)
        return result


class DatabaseAway(Unavailable):
    """The database does not answer. Its driver says with which address and user, which strangers are not told."""

    @property
    def public(self) -> str:
        return "The database does not answer."


class DatabaseFull(DiskFull):
    """The disk of the database is full. PostgreSQL says with which file, which strangers are not told."""

    @property
    def public(self) -> str:
        return "The disk of the database is full."


def shown(url: URL) -> str:
    """The address as the settings have it, without the driver's name, and its password masked."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


class _AtHand:
    """What the engine does all the time: sessions that join by keys alone."""

    def __init__(self, many: AsyncEngine, one: AsyncEngine) -> None:
        self.many = many
        """For what concerns many jobs at once."""
        self.one = one
        """For what concerns one job."""
        self.reads = Sessions(many.execution_options(isolation_level="AUTOCOMMIT"))
        self.writes = Sessions(one)

    async def close(self) -> None:
        await self.reads.close()
        await self.writes.close()
        await self.many.dispose()
        await self.one.dispose()


def _unavailable(error: DBAPIError | PoolTimeout) -> Unavailable:
    text = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    if _is_full(error):
        return DatabaseFull(
            f"The disk of the database is full: {text}", hint="Make room on it; everything then goes on by itself."
        )
    return DatabaseAway(f"The database does not answer: {text.rstrip('.')}.", hint="Try again in a moment.")


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
