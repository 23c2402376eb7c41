"""A connection to SQLite ends once, however often and by whom it is asked to."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jobdeck.store.sql.sqlite_driver import SqliteConnection


async def test_a_close_that_is_cut_short_by_force_comes_to_its_end(tmp_path: Path) -> None:
    """As when a client hangs up while the connection that its request used is being closed."""
    connection = await SqliteConnection(str(tmp_path / "x.db"))
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)  # it has asked the thread to close
    connection.stop()
    async with asyncio.timeout(30):
        await closing


async def test_closing_again_does_nothing(tmp_path: Path) -> None:
    connection = await SqliteConnection(str(tmp_path / "x.db"))
    await connection.close()
    await connection.close()
    async with asyncio.timeout(30):
        await asyncio.to_thread(connection._thread.join)
    assert connection.stop() is None
