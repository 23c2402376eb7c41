"""Engines: how the sessions of each database are set up, and how many there are."""

from __future__ import annotations

import math
import time
from enum import Enum
from functools import partial
from typing import Any

from sqlalchemy import Dialect, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from jobdeck.core.errors import InvalidInput
from jobdeck.store.sql.driver import DRIVER
from jobdeck.store.sql.postgres_connection import connecting
from jobdeck.store.sql.postgres_driver import PostgresDriver
from jobdeck.store.sql.sqlite_driver import SqliteConnection, SqliteDriver

IDLE_SECONDS = 1.0
"""Unused for longer than this, a connection is tried before it is used again."""
_POSTGRESQL_BOUNDS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=15s -c statement_timeout=20s"
"""A process that is frozen or cut off in a transaction must not keep its locks: they would hold up everyone else."""
_POSTGRESQL_MACHINE = "-c jit=off -c random_page_cost=1.1"
"""What holds of every session: disks of today find a page anywhere, and compiling a plan takes longer than most run."""
_JOINED_BY_KEY = "-c enable_hashjoin=off -c enable_mergejoin=off"
"""The engine joins by keys alone: the planner takes reading a whole table for cheaper while it is small, or not yet
counted, and takes ten times as long. For lists and reports it would be wrong: they do read much."""
_PLANNED_EACH_TIME = "-c plan_cache_mode=force_custom_plan"
"""A plan that was made once and kept, when the tables were still empty, would read all of them ever after."""
_PLANNED_ONCE = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Where a row is found by its key there is only one good plan, and making it takes longer than its execution. Reading
the whole table, which would be right while it is empty, must not be part of it."""


class Planning(Enum):
    """What the sessions of an engine tell PostgreSQL's planner."""

    ITS_OWN = _PLANNED_EACH_TIME
    """How a statement is best executed is for the planner to say."""

    BY_INDEX = f"{_JOINED_BY_KEY} {_PLANNED_EACH_TIME}"
    """For what the engine does all the time, with many jobs at once."""

    ONCE = f"{_JOINED_BY_KEY} {_PLANNED_ONCE}"
    """For what it does all the time with one job."""


def sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    """One connection that writes, or a few that read."""
    engine = create_async_engine(
        url,
        connect_args={"async_creator_fn": SqliteConnection},
        execution_options={DRIVER: SqliteDriver()},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if writes else 4,
        max_overflow=0,
        pool_timeout=30,
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


class MissingDriver(InvalidInput, code="missing_driver"):
    """What speaks to PostgreSQL is not installed."""


def postgres_engine(url: URL, patience: float, plans: Planning = Planning.ITS_OWN) -> AsyncEngine:
    """A pool of sessions with `plans`. Raises MissingDriver."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingDriver(
            f"The database is PostgreSQL, and its driver is not installed: {error}.",
            field="database_url",
            hint="Install it in the source tree: pip install '.[postgres]'",
        ) from error
    few = plans is not Planning.ITS_OWN
    options = f"{_POSTGRESQL_BOUNDS} {_POSTGRESQL_MACHINE} {plans.value}"
    engine = create_async_engine(
        url,
        connect_args={"options": options, "async_creator_fn": connecting(patience)},
        execution_options={DRIVER: PostgresDriver(keeps_plans=plans is Planning.ONCE)},
        pool_size=5 if few else 10,
        max_overflow=5 if few else 10,
        pool_timeout=10,
        pool_use_lifo=True,  # what was prepared in the session used last is there, and those not needed rest
    )
    event.listen(engine.sync_engine, "checkin", _note_idle)
    event.listen(engine.sync_engine, "checkout", partial(_try_idle, engine.dialect))
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
