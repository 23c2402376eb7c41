"""Insert or update, in one statement: who sets the same thing at the same moment waits, and nobody is refused."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from jobdeck.store.sql.database import Tx


async def put(tx: Tx, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """The row with this key has these values from now on, whether it was there or not. `key` is unique in the table."""
    insert = postgresql.insert if tx.connection.dialect.name == "postgresql" else sqlite.insert
    new = insert(table).values(key | values)
    await tx.connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=values))
