"""Engines: how the sessions of each database are set up, and how many there are."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

from sqlalchemy import Dialect, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from jobdeck.core.errors import InvalidInput
from jobdeck.store.sql.postgres_connection import connecting
from jobdeck.store.sql.sqlite_connection import SqliteConnection

IDLE_SECONDS = 1.0
"""Unused for longer than this, a connection is tried before it is used again."""
_POSTGRESQL_BOUNDS = "-c idle_in_transaction_session_timeout=5s -c lock_timeout=15s -c statement_timeout=20s"
"""A process that is frozen or cut off in a transaction must not keep its locks: they would hold up everyone else."""
# All that is joined here is joined by a key: the planner takes reading a whole table for cheaper while it is small, or
# not yet counted, and takes ten times as long.
_POSTGRESQL_PLANS = "-c jit=off -c random_page_cost=1.1 -c enable_hashjoin=off -c enable_mergejoin=off"
_PLANNED_EACH_TIME = f"{_POSTGRESQL_PLANS} -c plan_cache_mode=force_custom_plan"
"""A plan that was made once and kept, when the tables were still empty, would read all of them ever after."""
_PLANNED_ONCE = f"{_POSTGRESQL_PLANS} -c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Where a row is found by its key there is only one good plan, and making it takes longer than its execution. Reading
the whole table, which would be right while it is empty, must not be part of it."""


def sqlite_engine(url: URL, *, writes: bool) -> AsyncEngine:
    """One connection that writes, or a few that read."""
    engine = create_async_engine(
        url,
        connect_args={"async_creator_fn": SqliteConnection},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if writes else 4,
        max_overflow=0,
        pool_timeout=30,
    )
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


class MissingDriver(InvalidInput):
    """What speaks to PostgreSQL is not installed."""

    code = "missing_driver"


def postgres_engine(url: URL, patience: float, *, plan_once: bool = False) -> AsyncEngine:
    """`plan_once`: its sessions keep the plans that they made first, instead of planning each time. Raises
    MissingDriver."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingDriver(
            f"The database is PostgreSQL, and its driver is not installed: {error}.",
            field="database_url",
            hint="Install it in the source tree: pip install '.[postgres]'",
        ) from error
    options = f"{_POSTGRESQL_BOUNDS} {_PLANNED_ONCE if plan_once else _PLANNED_EACH_TIME}"
    engine = create_async_engine(
        url,
        connect_args={"options": options, "async_creator_fn": connecting(patience)},
        pool_size=5 if plan_once else 10,
        max_overflow=5 if plan_once else 10,
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
