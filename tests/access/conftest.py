"""A database with its schema, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from jobdeck.store.migrate import migrate
from jobdeck.store.sql.clock import SetClock
from jobdeck.store.sql.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Its clock stands until a test moves it."""
    opened = Database(database_url, clock=SetClock())
    await migrate(opened)
    yield opened
    await opened.close()
