"""Migrated databases, made once and copied for each test: migrating anew would take most of the time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from jobdeck.store.migrate import migrate
from jobdeck.store.sql.clock import Clock
from jobdeck.store.sql.database import Database

Furnish = Callable[[Database], Awaitable[object]]


async def make(url: str, furnish: Furnish | None = None, clock: Clock | None = None) -> None:
    """All tables in an empty database, and what `furnish` puts into them."""
    database = Database(url, clock=clock)
    await migrate(database)
    if furnish is not None:
        await furnish(database)
    await database.close()


def sqlite_model(folder: Path, furnish: Furnish | None = None, clock: Clock | None = None) -> Path:
    """A file to be copied."""
    path = folder / "jobdeck.db"
    asyncio.run(make(f"sqlite+aiosqlite:///{path}", furnish, clock))
    return path


def sqlite_copy(model: Path, folder: Path) -> str:
    """The address of a copy of its own."""
    shutil.copy(model, folder / "jobdeck.db")
    return f"sqlite+aiosqlite:///{folder / 'jobdeck.db'}"
