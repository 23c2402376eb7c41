"""A connection to SQLite that runs several statements in one go of its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite

Call = tuple[str, tuple[Any, ...]]
"""A statement and its parameters."""


class Connection(aiosqlite.Connection):
    """aiosqlite's; between two of its calls the thread waits for the event loop, which costs as much as a statement."""

    def __init__(self, database: str, **options: Any) -> None:
        """With the arguments of `sqlite3.connect`."""
        super().__init__(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
        self._thread.daemon = True  # like SQLAlchemy's own: a process that ends does not wait for it

    async def execute_all(self, calls: Sequence[Call]) -> None:
        """Run `calls`, which give no rows, in order and up to the first that fails. None may follow that one: SQLite
        may have ended the transaction, and the next would be committed by itself."""
        await self._execute(self._run_all, calls)  # type: ignore[no-untyped-call]

    def _run_all(self, calls: Sequence[Call]) -> None:
        for text, parameters in calls:
            self._conn.execute(text, parameters).close()
