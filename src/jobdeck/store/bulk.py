"""Insert and update many rows at once, each database in its fastest way.

PostgreSQL takes them as arrays, one round trip for all. SQLite, which is in the process, takes them one by one through
a prepared statement: there anything else would cost more than the writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, insert, select, update

from jobdeck.store.batch import Cells, Columns, cells_of, storable, table_of_cells
from jobdeck.store.database import Tx


async def insert_cells(tx: Tx, table: Table, cells: Cells, columns: Columns) -> None:
    """Write new rows, given by columns."""
    if not _rows(cells):
        return
    if tx.dialect == "sqlite":
        await tx.connection.exec_driver_sql(_sqlite_insert(table.name, tuple(cells)), _tuples(cells, list(cells)))
        return
    batch = table_of_cells(cells, {name: columns[name] for name in cells}, tx.dialect)
    await tx.connection.execute(insert(table).from_select(list(cells), select(*batch.c)))


async def update_cells(tx: Tx, table: Table, cells: Cells, columns: Columns, key: Sequence[str]) -> None:
    """Write all columns besides `key` of the rows that `key` names."""
    written = [name for name in cells if name not in key]
    if not _rows(cells) or not written:
        return
    if tx.dialect == "sqlite":
        statement = _sqlite_update(table.name, tuple(written), tuple(key))
        await tx.connection.exec_driver_sql(statement, _tuples(cells, [*written, *key]))
        return
    batch = table_of_cells(cells, {name: columns[name] for name in cells}, tx.dialect)
    values_of = {table.c[name]: batch.c[name] for name in written}
    await tx.connection.execute(update(table).where(*(table.c[k] == batch.c[k] for k in key)).values(values_of))


async def update_rows(
    tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], columns: Columns, key: Sequence[str]
) -> None:
    """As `update_cells`, given by rows; a column that a row lacks becomes NULL."""
    await update_cells(tx, table, cells_of(rows, columns), columns, key)


def _rows(cells: Cells) -> int:
    return len(next(iter(cells.values()), ()))


def _tuples(cells: Cells, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Row by row, with text that any database takes."""
    return list(zip(*([storable(value) for value in cells[name]] for name in names), strict=True))


@lru_cache
def _sqlite_insert(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({_listed(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608  (our own names)


@lru_cache
def _sqlite_update(table: str, names: tuple[str, ...], key: tuple[str, ...]) -> str:
    this = " AND ".join(f'"{name}" = ?' for name in key)
    return f"UPDATE {table} SET {', '.join(f'{chr(34)}{n}{chr(34)} = ?' for n in names)} WHERE {this}"  # noqa: S608  (our own names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
