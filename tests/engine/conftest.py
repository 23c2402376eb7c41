"""Migrated databases, made once and copied for each test; an engine on each of them."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from jobdeck.store.database import Database
from jobdeck.store.migrate import migrate
from tests.conftest import _for_jobdeck
from tests.engine.harness import Engine, running


async def _migrated(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "jobdeck.db"
    asyncio.run(_migrated(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    asyncio.run(_migrated(_for_jobdeck(postgres_url, name)))
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database."""
    shutil.copy(sqlite_template, tmp_path / "jobdeck.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}"


@pytest.fixture
def migrated_postgres_url(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"')
        yield _for_jobdeck(postgres_url, name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database: the test runs once on SQLite and once on PostgreSQL."""
    fixture = {"sqlite": "sqlite_url", "postgres": "migrated_postgres_url"}[request.param]
    found: str = request.getfixturevalue(fixture)
    return found


@pytest.fixture
async def engine(url: str, home: Path) -> AsyncIterator[Engine]:
    """An engine with one worker."""
    async with running(url, home) as engine:
        yield engine


@pytest.fixture
async def quiet(url: str, home: Path) -> AsyncIterator[Engine]:
    """An engine without a worker: what is submitted waits."""
    async with running(url, home, workers=0) as engine:
        yield engine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """SQLAlchemy 2.1 has deprecated `Result.tuples()`; until the store does without it, it is no error here."""
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:The Result.tuples"))
