"""A connection to SQLite that runs several statements in one go of its thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

import aiosqlite

Call = tuple[str, tuple[Any, ...]]
"""A statement and its parameters."""


class SqliteConnection(aiosqlite.Connection):
    """aiosqlite's; between two of its calls the thread waits for the event loop, which costs as much as a statement."""

    def __init__(self, database: str, **options: Any) -> None:
        """With the arguments of `sqlite3.connect`."""
        super().__init__(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
        self._thread.daemon = True  # like SQLAlchemy's own: a process that ends does not wait for it
        self._is_stopping = False

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread, once. A second request would stay in its queue, and `close` would wait for it for ever: that
        happens where a close is under way and its caller is canceled, so that SQLAlchemy stops it by force as well."""
        if self._is_stopping:
            return None
        self._is_stopping = True
        return super().stop()

    async def execute_all(self, calls: Sequence[Call]) -> None:
        """Run `calls`, which give no rows, in order and up to the first that fails. None may follow that one: SQLite
        may have ended the transaction, and the next would be committed by itself."""
        await self._execute(self._run_all, calls)  # type: ignore[no-untyped-call]

    def _run_all(self, calls: Sequence[Call]) -> None:
        for text, parameters in calls:
            self._conn.execute(text, parameters).close()
