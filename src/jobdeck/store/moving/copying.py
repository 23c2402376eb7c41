"""Copy every table of an SQLite database into an empty PostgreSQL database, in one transaction, read back before it
is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import Conflict, InvalidInput
from jobdeck.store.migrate import DAY
from jobdeck.store.moving.checksums import Checksum
from jobdeck.store.schema_base import every_table
from jobdeck.store.sql.database import Database, Tx, shown

AT_ONCE = 2000
"""Rows that are read at a time."""
_OTHERS = {"alembic_version"}


class TargetNotEmpty(Conflict, code="target_not_empty"):
    """The database that is to be moved to holds something already."""


class MoveNotProved(Conflict, code="move_not_proved"):
    """What was read back from the new database is not what the old one holds; nothing was kept there."""


class RowNotMovable(InvalidInput, code="row_not_movable"):
    """A row of the old database cannot be stored in the new one; nothing was kept there."""


@dataclass(frozen=True, slots=True)
class MovedTable:
    """A table that arrived whole."""

    table: str
    rows: int


async def refuse_full(target: Database) -> None:
    """Raises TargetNotEmpty for tables of others, and for rows in our own."""
    own = {table.name for table in every_table().sorted_tables}
    async with target.read() as connection:
        there = set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))
        if others := sorted(there - own - _OTHERS):
            raise _not_empty(target, f"it has the table '{others[0]}'")
        for table in every_table().sorted_tables:
            any_row = select(text("1")).select_from(table).limit(1)
            if table.name in there and (await connection.execute(any_row)).first():
                raise _not_empty(target, f"its table '{table.name}' has rows")


async def copy_all(source: Database, target: Database) -> list[MovedTable]:
    """Copy all tables, with where their keys go on; raises MoveNotProved and RowNotMovable, having changed nothing.

    `target` has the tables of this version, without a row; nobody else works on either."""

    async def work(tx: Tx) -> list[MovedTable]:
        await tx.connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        await tx.connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        async with source.read() as reading:
            moved = [await _copy(reading, tx.connection, table) for table in every_table().sorted_tables]
            await _set_sequences(reading, tx.connection)
        return moved

    unhurried = target.sibling(patience=DAY)
    try:
        return await unhurried.transact(work)
    finally:
        await unhurried.close()


async def _copy(source: AsyncConnection, target: AsyncConnection, table: Table) -> MovedTable:
    sent, arrived = Checksum(), Checksum()
    try:
        async for rows in _rows(source, table):
            sent.add(rows)
            await _write(target, table, rows)
    except DBAPIError as error:
        raise _not_movable(table, str(error.orig)) from error
    async for rows in _rows(target, table):
        arrived.add(rows)
    if sent != arrived:
        raise MoveNotProved(
            f"What was read back of '{table.name}' is not what was sent ({arrived.rows:,} of {sent.rows:,} rows).",
            hint="Nothing was moved; the old database is as it was. Report this.",
        )
    return MovedTable(table.name, sent.rows)


async def _rows(connection: AsyncConnection, table: Table) -> AsyncIterator[list[Sequence[Any]]]:
    result = await connection.stream(select(*table.columns), execution_options={"yield_per": AT_ONCE})
    async for part in result.partitions():
        yield [tuple(row) for row in part]


async def _write(connection: AsyncConnection, table: Table, rows: list[Sequence[Any]]) -> None:
    """By COPY, which is ten times as fast as inserting."""
    import psycopg  # optional: an installation on SQLite does without

    raw: Any = (await connection.get_raw_connection()).driver_connection
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    try:
        async with raw.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                await copy.write_row(row)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise _not_movable(table, str(error)) from error


async def _set_sequences(source: AsyncConnection, target: AsyncConnection) -> None:
    """Keys go on behind the highest that was ever given, also where that row is gone: what refers to it must never
    mean another one."""
    rows = await source.execute(text("SELECT name, seq FROM sqlite_sequence"))
    given = {str(name): int(number) for name, number in rows}
    for table in every_table().sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = (
            await target.execute(text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": table.name, "c": column.name})
        ).scalar()
        highest = max((await source.execute(select(func.max(column)))).scalar() or 0, given.get(table.name, 0))
        if sequence is not None and highest:
            await target.execute(text("SELECT setval(CAST(:s AS regclass), :n, true)"), {"s": sequence, "n": highest})


def _not_empty(target: Database, why: str) -> TargetNotEmpty:
    return TargetNotEmpty(
        f"The database {shown(target.url)} is not empty: {why}.",
        hint="Make a new one (createdb NAME), or empty this one, and name it with --to.",
    )


def _not_movable(table: Table, why: str) -> RowNotMovable:
    return RowNotMovable(
        f"A row of table '{table.name}' cannot be stored in PostgreSQL: {why.partition(chr(10))[0]}.",
        hint="Nothing was moved; the old database is as it was. Mend or delete that row, then try again.",
    )
