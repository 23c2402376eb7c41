"""What the store's drivers do past SQLAlchemy, beside doing it as SQLAlchemy, psycopg and its pool would.

    python benchmarks/bench_driver.py [--rounds 300] [--rows 200]

µs a time, medians. The ways of a row take turns, round by round, so that what else the machine does meets all of them.
The rows of psycopg's own pool need `pip install psycopg-pool`, which Jobdeck does not use."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import measuring
import psycopg
import uvloop
from psycopg.types.numeric import Int8
from sqlalchemy import Column, MetaData, String, Table, bindparam, insert, make_url, select

from jobdeck.core.values import clip
from jobdeck.store.sql.engines import Planning, postgres_engine, sqlite_engine
from jobdeck.store.sql.postgres_driver import PostgresDriver
from jobdeck.store.sql.sessions import Sessions
from jobdeck.store.sql.statements import INT, TEXT, Prepared, driver_of, insert_cells

try:
    from psycopg_pool import AsyncConnectionPool
except ImportError:
    AsyncConnectionPool = None  # type: ignore[assignment,misc]

Way = Callable[[], Awaitable[object]]
KINDS = {"id": INT, "name": TEXT, "data": TEXT}
FROM_LISTS = "SELECT count(*) FROM unnest({0}::bigint[], {0}::text[], {0}::text[]) AS batch (id, name, data)"


async def compared(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    """Median µs of each way, after some rounds that do not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 30):
        for name, way in ways.items():
            began = time.perf_counter()
            await way()
            if number >= 30:
                taken[name].append((time.perf_counter() - began) * 1e6)
    return {name: round(statistics.median(times), 1) for name, times in taken.items()}


def cells_of(rows: int) -> dict[str, Sequence[Any]]:
    return {
        "id": [10**9 + row for row in range(rows)],
        "name": [f"job.{row}" for row in range(rows)],
        "data": [f'{{"state":"running","worker":"w{row}"}}' for row in range(rows)],
    }


def alike(values: Sequence[Any], kind: type) -> list[Any]:
    """For psycopg's dumpers, which refuse lists of several types (a state beside a text, 0 beside 0.5) and NUL."""
    if kind is str:
        return [None if value is None else clip(str(value), len(value)) for value in values]
    return [None if value is None else Int8(value) for value in values]


async def arrays(url: str, rows: int, rounds: int) -> dict[str, float]:
    """Three columns of so many rows by one statement of one session, prepared: as texts that we compose, or by
    psycopg's dumpers of lists; these as they are, or with what any value of ours needs."""
    cells = cells_of(rows)
    kinds = {"id": int, "name": str, "data": str}
    sent = PostgresDriver.sent
    async with await psycopg.AsyncConnection.connect(plain(url), autocommit=True) as session:

        async def ask(mark: str, values: Sequence[Any]) -> None:
            await (await session.execute(FROM_LISTS.format(mark), values)).fetchall()

        return await compared(
            {
                "ours": lambda: ask("%s", list(sent(cells, list(cells), KINDS, "batch").values())),
                "psycopg's, binary": lambda: ask("%b", list(cells.values())),
                "psycopg's, text": lambda: ask("%t", list(cells.values())),
                "binary, values alike": lambda: ask("%b", [alike(cells[name], kinds[name]) for name in cells]),
            },
            rounds,
        )


async def pools(url: str, rounds: int) -> dict[str, float]:
    """A transaction of one statement on a session of each kind of pool."""
    engine = postgres_engine(make_url(url), 25.0, Planning.ONCE)
    sessions = Sessions(engine)
    one = Prepared(select(bindparam("one", type_=INT)))

    async def at_hand() -> None:
        async with sessions.begin() as connection:
            await one.run(connection, one=1)

    async def sqlalchemys() -> None:
        async with engine.begin() as connection:
            await one.run(connection, one=1)

    ways: dict[str, Way] = {"sessions at hand": at_hand, "SQLAlchemy's pool": sqlalchemys}
    async with AsyncExitStack() as stack:
        if AsyncConnectionPool is not None:
            pool = await stack.enter_async_context(AsyncConnectionPool(plain(url), min_size=3, open=False))

            async def psycopgs() -> None:
                async with pool.connection() as connection:
                    await (await connection.execute("SELECT %s::bigint", [1])).fetchall()

            ways["psycopg's pool"] = psycopgs
        found = await compared(ways, rounds)
    await sessions.close()
    await engine.dispose()
    return found


async def taking(url: str, rounds: int) -> dict[str, float]:
    """Taking a session and giving it back, with nothing in between."""
    engine = postgres_engine(make_url(url), 25.0, Planning.ONCE)
    sessions = Sessions(engine)

    async def at_hand() -> None:
        async with sessions.begin():
            pass

    async def sqlalchemys() -> None:
        async with engine.connect():
            pass

    ways: dict[str, Way] = {"sessions at hand": at_hand, "SQLAlchemy's pool": sqlalchemys}
    async with AsyncExitStack() as stack:
        if AsyncConnectionPool is not None:
            pool = await stack.enter_async_context(AsyncConnectionPool(plain(url), min_size=3, open=False))

            async def psycopgs() -> None:
                async with pool.connection():
                    pass

            ways["psycopg's pool"] = psycopgs
        found = await compared(ways, rounds)
    await sessions.close()
    await engine.dispose()
    return found


async def statements(engine: Any, rounds: int) -> dict[str, float]:
    """The same statement, compiled once and run by the driver, or composed and run by SQLAlchemy."""
    columns = [Column(f"c{number}", String) for number in range(8)]
    table = Table("things", MetaData(), Column("id", INT, primary_key=True), *columns)
    query = select(table).where(table.c.id == bindparam("id", type_=INT), table.c.c0 != bindparam("no", type_=TEXT))
    prepared = Prepared(query)

    async def composed() -> None:
        asked = select(table).where(table.c.id == 7, table.c.c0 != "no")
        (await connection.execute(asked)).all()

    async def made_before() -> None:
        (await connection.execute(query, {"id": 7, "no": "no"})).all()

    async with engine.connect() as connection:
        await connection.run_sync(table.metadata.create_all)
        await connection.execute(insert(table), [{"id": n, **{c.name: "x" for c in columns}} for n in range(20)])
        ways: dict[str, Way] = {
            "driver": lambda: prepared.run(connection, id=7, no="no"),
            "SQLAlchemy, made before": made_before,
            "SQLAlchemy, composed": composed,
        }
        found = await compared(ways, rounds)
        await connection.rollback()
    return found


async def last_writes(engine: Any, rounds: int) -> dict[str, float]:
    """Five statements that write: together, or one after another."""
    table = Table("written", MetaData(), Column("id", INT), Column("name", TEXT))

    async def five() -> None:
        for number in range(5):
            await insert_cells(connection, table, {"id": [number], "name": ["x"]}, {"id": INT, "name": TEXT})

    async def together() -> None:
        async with driver_of(connection).together(connection):
            await five()

    async with engine.connect() as connection:
        await connection.run_sync(table.metadata.create_all)
        found = await compared({"together": together, "one by one": five}, rounds)
        await connection.rollback()
    return found


def plain(url: str) -> str:
    """As psycopg has it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def measure(url: str, folder: Path, rows: int, rounds: int) -> dict[str, dict[str, float]]:
    postgres = postgres_engine(make_url(url), 25.0)
    sqlite = sqlite_engine(make_url(f"sqlite+aiosqlite:///{folder}/x.db"), writes=True)
    found = {
        f"arrays of {rows}": await arrays(url, rows, rounds),
        "arrays of 3": await arrays(url, 3, rounds),
        "a session taken": await taking(url, rounds),
        "a transaction": await pools(url, rounds),
        "a statement, PostgreSQL": await statements(postgres, rounds),
        "a statement, SQLite": await statements(sqlite, rounds),
        "five writes, PostgreSQL": await last_writes(postgres, rounds),
        "five writes, SQLite": await last_writes(sqlite, rounds),
    }
    await postgres.dispose()
    await sqlite.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--rows", type=int, default=200)
    options = parser.parse_args()
    with measuring.postgres() as server, tempfile.TemporaryDirectory() as folder:
        url = measuring.fresh_database(server, "driver")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            found = loop.run(measure(url, Path(folder), options.rows, options.rounds))
    rows = [[what, name, taken] for what, ways in found.items() for name, taken in ways.items()]
    measuring.table(["what", "way", "µs"], rows)
    measuring.save("driver", found)


if __name__ == "__main__":
    main()
