"""Insert and update many rows at once, each database in its fastest way.

PostgreSQL takes them as arrays, one round trip for all. SQLite, which is in the process, takes them one by one through
a prepared statement: there anything else would cost more than the writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Subquery, Table, Text, Update, insert, select, update
from sqlalchemy.types import TypeEngine

from jobdeck.store.sql.batch import Cells, Columns, cells_of, storable
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.prepared import Build, run_batch


async def insert_cells(tx: Tx, table: Table, cells: Cells, columns: Columns) -> None:
    """Write new rows, given by columns."""
    if not _rows(cells):
        return
    if tx.dialect == "sqlite":
        statement = _sqlite_insert(table.name, tuple(cells))
        await tx.connection.exec_driver_sql(statement, _tuples(cells, list(cells), columns))
        return
    await run_batch(tx.connection, _insert(table), cells, columns)


async def update_cells(tx: Tx, table: Table, cells: Cells, columns: Columns, key: Sequence[str]) -> None:
    """Write all columns besides `key` of the rows that `key` names."""
    written = [name for name in cells if name not in key]
    if not _rows(cells) or not written:
        return
    if tx.dialect == "sqlite":
        statement = _sqlite_update(table.name, tuple(written), tuple(key))
        await tx.connection.exec_driver_sql(statement, _tuples(cells, [*written, *key], columns))
        return
    await run_batch(tx.connection, _update(table, tuple(key)), cells, columns, key)


async def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    """As `insert_cells`, given by rows; a column that a row lacks becomes NULL."""
    await insert_cells(tx, table, cells_of(rows, columns), columns)


async def update_rows(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], columns: Columns, key: Sequence[str]
) -> None:
    """As `update_cells`, given by rows; a column that a row lacks becomes NULL."""
    await update_cells(tx, table, cells_of(rows, columns), columns, key)


@cache
def _insert(table: Table) -> Build:
    return lambda batch: insert(table).from_select(list(batch.c.keys()), select(*batch.c))


@cache
def _update(table: Table, key: tuple[str, ...]) -> Build:
    def build(batch: Subquery) -> Update:
        written = {table.c[name]: batch.c[name] for name in batch.c.keys() if name not in key}  # noqa: SIM118  (no dict)
        return update(table).where(*(table.c[name] == batch.c[name] for name in key)).values(written)

    return build


def _rows(cells: Cells) -> int:
    return len(next(iter(cells.values()), ()))


def _tuples(cells: Cells, names: Sequence[str], columns: Columns) -> list[tuple[Any, ...]]:
    """Row by row, with text that any database takes."""
    return list(zip(*(_taken(cells[name], columns[name]) for name in names), strict=True))


def _taken(values: Sequence[Any], kind: TypeEngine[Any]) -> Sequence[Any]:
    if not isinstance(kind, Text):
        return values
    if values.count(values[0]) == len(values):
        return [storable(values[0])] * len(values)
    return [storable(value) for value in values]


@lru_cache
def _sqlite_insert(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({_listed(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  (our own names)


@lru_cache
def _sqlite_update(table: str, names: tuple[str, ...], key: tuple[str, ...]) -> str:
    this = " AND ".join(f'"{name}" = ?' for name in key)
    return f"UPDATE {table} SET {', '.join(f'{chr(34)}{n}{chr(34)} = ?' for n in names)} WHERE {this}"  # noqa: S608  (our own names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
