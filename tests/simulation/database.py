"""The engine's view of the simulated database: the real store code, over the simulated driver, clock and wake-ups."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobdeck.store.migrate import _config
from jobdeck.store.sql.clock import Clock
from jobdeck.store.sql.database import Database
from jobdeck.store.sql.wakeups import Called, Wakeups
from tests.simulation.driver import URL, make_engine

WEIGHTS = {1: 1.0, 2: 3.0}
"""The projects, and how much of everything each is to get."""


@cache
def _engines() -> tuple[AsyncEngine, AsyncEngine]:
    return make_engine(writes=True), make_engine(writes=False)


class SimulatedDatabase(Database):
    """A handle of one machine on the one database of its world."""

    def __init__(self, clock: Clock, wakeups: Wakeups) -> None:
        self.url = make_url(URL)
        self.clock = self._own_clock = clock
        self.wakeups = wakeups
        self.dialect = "sqlite"
        self._writer, self._reader = _engines()
        self._one_writer = asyncio.Lock()
        self._at_hand = None

    async def warm_up(self) -> None:
        """What SQLAlchemy does once per process, on its first connections, must not be part of a world."""
        for engine in (self._writer, self._reader):
            async with engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")

    def sibling(self, patience: float = 0.0) -> Database:
        return SimulatedDatabase(self.clock, self.wakeups)

    async def close(self) -> None:
        """Its connections go back by themselves."""


class SimulatedClock(Clock):
    """The database server's clock (store.sql.clock.Clock), which can be set wrong."""

    def __init__(self, time: Callable[[], float], read: Callable[[int], None]) -> None:
        self._time = time
        self._read = read
        self.offset = 1_700_000_000_000_000

    def time(self) -> int:
        return int(self._time() * 1_000_000) + self.offset

    async def now(self, connection: AsyncConnection) -> int:
        now = self.time()
        self._read(now)
        return now


class SimulatedWakeups(Wakeups):
    """Wake-up calls that reach this machine at once and the others as the world lets them."""

    def __init__(self, tell_others: Callable[[Called], None]) -> None:
        super().__init__()
        self._tell_others = tell_others

    def call(self, names: Called = None) -> None:
        self.ring_here(names)
        self._tell_others(names)

    def ring_here(self, names: Called = None) -> None:
        super().call(names)


@cache
def empty_database() -> bytes:
    """The file of a database with all tables and guards, two projects and a principal."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
        engine.dispose()
        raw = sqlite3.connect(path)
        raw.execute("PRAGMA journal_mode=WAL")
        for number, weight in WEIGHTS.items():
            row = (number, f"p{number}", f"Project {number}", weight, 0)
            raw.execute("INSERT INTO projects (id, name, title, weight, created_at) VALUES (?, ?, ?, ?, ?)", row)
        raw.execute("INSERT INTO principals (id, kind, name, created_at) VALUES (1, 'user', 'someone', 0)")
        raw.commit()
        raw.close()
        return path.read_bytes()
