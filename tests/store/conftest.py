"""A migrated database in milliseconds: made once per session, then copied for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from jobdeck.store.schema import metadata
from jobdeck.store.sql.clock import SetClock
from tests import migrated
from tests.store.desk import Desk, furnished

TEMPLATE, ROOM = "jobdeck_template", "jobdeck_room"
SEEDED = ("projects", "principals", "workers", "events")


def address(postgres_url: str, name: str) -> str:
    """`postgresql://user:@/postgres?host=…` → `postgresql+psycopg://user@/name?host=…`."""
    server, _, options = postgres_url.partition("?")
    head = server.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://", 1).replace(":@", "@", 1)
    return f"{head}/{name}?{options}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated.sqlite_model(tmp_path_factory.mktemp("template"), furnished, SetClock())


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(migrated.make(address(postgres_url, TEMPLATE), furnished, SetClock()))
    return postgres_url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    return migrated.sqlite_copy(sqlite_template, tmp_path)


@pytest.fixture(scope="session")
def postgres_room(postgres_template: str) -> str:
    """A copy of the template that one test after another gets, emptied: copying takes ten times as long."""
    with psycopg.connect(postgres_template, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {ROOM} TEMPLATE {TEMPLATE}")
    url = address(postgres_template, ROOM)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE SCHEMA seed")
        for table in SEEDED:
            connection.execute(f"CREATE TABLE seed.{table} AS TABLE public.{table}")
    return url


@pytest.fixture
def postgres_copy_url(postgres_room: str) -> str:
    tables = [t.name for t in metadata.sorted_tables]
    # The trigger that notes what became of ended jobs notes these, too: its table comes last.
    names = [*(name for name in reversed(tables) if name != "event_retention"), "loose_jobs", "event_retention"]
    allow = f"INSERT INTO event_retention VALUES (1, {2**62}) ON CONFLICT (id) DO UPDATE SET before = {2**62}"
    clean = [allow, *(f"DELETE FROM {name}" for name in names)]
    seed = [f"INSERT INTO {name} SELECT * FROM seed.{name}" for name in tables if name in SEEDED]
    restart = [f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in ("jobs", "lineage")]
    restart.append("SELECT setval(pg_get_serial_sequence('events', 'id'), (SELECT max(id) FROM events))")
    with psycopg.connect(postgres_room.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("; ".join(["BEGIN", *clean, *seed, *restart, "COMMIT"]))
    return postgres_room


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of its own, with project 1 (`p`), principal 1 and two workers."""
    url: str = request.getfixturevalue({"sqlite": "sqlite_url", "postgres": "postgres_copy_url"}[request.param])
    return url


@pytest.fixture
async def desk(migrated_url: str) -> AsyncIterator[Desk]:
    async with Desk.at(migrated_url) as desk:
        yield desk


@pytest.fixture
async def postgres_desk(postgres_copy_url: str) -> AsyncIterator[Desk]:
    async with Desk.at(postgres_copy_url) as desk:
        yield desk


@pytest.fixture
async def sqlite_desk(sqlite_url: str) -> AsyncIterator[Desk]:
    async with Desk.at(sqlite_url) as desk:
        yield desk
