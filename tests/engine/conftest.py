"""Migrated databases, made once and copied for each test; an engine on each of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import structlog

from tests import migrated
from tests.conftest import _for_jobdeck
from tests.engine.harness import Engine, running


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> Iterator[None]:
    """Tracebacks in plain text; in colours with all variables each of them takes a second."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated.sqlite_model(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres_migrated(postgres_url: str) -> str:
    """The name of a migrated PostgreSQL database that all tests use, one after the other."""
    name = f"engine_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    asyncio.run(migrated.make(_for_jobdeck(postgres_url, name)))
    return name


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database."""
    return migrated.sqlite_copy(sqlite_template, tmp_path)


@pytest.fixture
def migrated_postgres_url(postgres_url: str, postgres_migrated: str) -> Iterator[str]:
    """A migrated PostgreSQL database; emptied after the test, which is quicker than a new one."""
    yield _for_jobdeck(postgres_url, postgres_migrated)
    address, _, options = postgres_url.partition("?")
    with psycopg.connect(f"{address.rpartition('/')[0]}/{postgres_migrated}?{options}", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [postgres_migrated],
        )
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = ", ".join(f'"{table}"' for (table,) in tables if table != "alembic_version")
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")


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
