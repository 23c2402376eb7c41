"""Insert and update many rows at once, each database in its fastest way.

PostgreSQL reads them from one JSON parameter, one round trip for all. SQLite, which is in the process, takes them one
by one through a prepared statement: there JSON would cost more than the writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, insert, select, update

from jobdeck.core.values import clip
from jobdeck.store.batch import Columns, table_of
from jobdeck.store.database import Tx

Rows = Sequence[Mapping[str, Any]]


async def insert_rows(tx: Tx, table: Table, rows: Rows, columns: Columns) -> None:
    """Write new rows; a column that a row lacks is NULL."""
    if not rows:
        return
    if tx.dialect == "sqlite":
        await tx.connection.execute(insert(table), _plain(rows, columns))
        return
    batch = table_of(rows, columns, tx.dialect)
    await tx.connection.execute(insert(table).from_select(list(columns), select(*batch.c)))


async def update_rows(tx: Tx, table: Table, rows: Rows, columns: Columns, key: Sequence[str]) -> None:
    """Write all `columns` besides `key` of the rows that `key` names; a column that a row lacks becomes NULL."""
    if not rows:
        return
    written = [name for name in columns if name not in key]
    if tx.dialect == "sqlite":
        names: dict[str, Any] = {name: bindparam(f"new_{name}") for name in written}
        this = [table.c[name] == bindparam(f"new_{name}") for name in key]
        values = [{f"new_{name}": value for name, value in row.items()} for row in _plain(rows, columns)]
        await tx.connection.execute(update(table).where(*this).values(names), values)
        return
    batch = table_of([{name: row.get(name) for name in columns} for row in rows], columns, tx.dialect)
    values_of = {table.c[name]: batch.c[name] for name in written}
    await tx.connection.execute(update(table).where(*(table.c[k] == batch.c[k] for k in key)).values(values_of))


def _plain(rows: Rows, columns: Columns) -> list[dict[str, Any]]:
    """Every column in every row, with text that any database takes."""
    return [{name: _text(row.get(name)) for name in columns} for row in rows]


def _text(value: Any) -> Any:
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return clip(value, len(value))
    return value
