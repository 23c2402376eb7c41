"""Insert and update many rows at once, all by one statement.

For PostgreSQL that is one round trip. SQLite, which is in the process, would write them as fast one by one; but after
each it would wait for the interpreter, which has the next batch in hand meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Subquery, Table, Update, insert, select, update

from jobdeck.store.sql.batch import Cells, Columns, cells_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.prepared import Build, run_batch


async def insert_cells(tx: Tx, table: Table, cells: Cells, columns: Columns) -> None:
    """Write new rows, given by columns."""
    if not _rows(cells):
        return
    await run_batch(tx.connection, _insert(table), cells, columns)


async def update_cells(tx: Tx, table: Table, cells: Cells, columns: Columns, key: Sequence[str]) -> None:
    """Write all columns besides `key` of the rows that `key` names."""
    if not _rows(cells) or cells.keys() <= set(key):
        return
    await run_batch(tx.connection, _update(table, tuple(key)), cells, columns, key)


async def insert_rows(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    """As `insert_cells`, given by rows; a column that a row lacks becomes NULL."""
    await insert_cells(tx, table, cells_of(rows, columns), columns)


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
