"""A migrated database in milliseconds: made once per session, then copied for each test."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from jobdeck.store.clock import SetClock
from jobdeck.store.database import Database
from jobdeck.store.migrate import migrate
from tests.store.desk import Desk, furnished

TEMPLATE = "jobdeck_template"


def address(postgres_url: str, name: str) -> str:
    """`postgresql://user:@/postgres?host=…` → `postgresql+psycopg://user@/name?host=…`."""
    server, _, options = postgres_url.partition("?")
    head = server.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://", 1).replace(":@", "@", 1)
    return f"{head}/{name}?{options}"


async def _prepare(url: str) -> None:
    database = Database(url, clock=SetClock())
    await migrate(database)
    await furnished(database)
    await database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "jobdeck.db"
    asyncio.run(_prepare(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(_prepare(address(postgres_url, TEMPLATE)))
    return postgres_url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "jobdeck.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}"


@pytest.fixture
def postgres_copy_url(postgres_template: str) -> Iterator[str]:
    name = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_template, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        yield address(postgres_template, name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
