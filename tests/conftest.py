"""Fixtures for all tests: a home, databases on SQLite and on a real PostgreSQL, and a real S3 server."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from tests import one_session
from tests.s3 import Bucket, new_bucket

settings.register_profile("long", max_examples=5000, deadline=None)
"""For a long search by hand: `pytest tests/store/test_life_stateful.py --hypothesis-profile=long --timeout=0`."""

HERE = Path(__file__).parent
GUARDIAN = HERE / "postgres_guardian.py"
S3_GUARDIAN = HERE / "s3_guardian.py"
LONGEST = ("simulation", "faults", "web", "docs")
"""Folders whose files take minutes. They begin first: one that began last would run alone while the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, in the order of their folders; all others as they were."""
    items.sort(key=lambda item: LONGEST.index(folder) if (folder := _folder(item)) in LONGEST else len(LONGEST))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


@pytest.fixture(scope="session", autouse=True)
def one_session_per_task() -> Iterator[None]:
    """Whatever runs in this process never holds two sessions of a database at once."""
    with one_session.refused():
        yield


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder to be the home of one installation."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@contextmanager
def _guarded(what: str, *words: str) -> Iterator[str]:
    """The address that a guardian's server gives itself; the server lives as long as this does."""
    command = [sys.executable, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as guardian:
        assert guardian.stdin is not None
        assert guardian.stdout is not None
        url = guardian.stdout.readline().strip()
        assert url, f"{what} did not start; its messages are above"
        guardian.wait(10)
        yield url
        guardian.stdin.close()
        guardian.stdout.read()  # ends when the server has stopped and its data is gone


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a PostgreSQL that lives as long as the tests do (`postgresql://…`, its maintenance database)."""
    with _guarded("PostgreSQL", "-W", "ignore", str(GUARDIAN)) as url:
        yield url


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a real S3 server that lives as long as the tests do."""
    with _guarded("the S3 server", str(S3_GUARDIAN)) as url:
        yield url


@pytest.fixture
def s3_bucket(s3_endpoint: str) -> Bucket:
    """A new bucket on that server."""
    return new_bucket(s3_endpoint)


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """A new, empty PostgreSQL database, as the URL that Jobdeck's settings take; dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield _for_jobdeck(postgres_url, name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_database_url(tmp_path: Path) -> str:
    """A new SQLite database, as the URL that Jobdeck's settings take."""
    return f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new, empty database: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_database_url")
    return url


def _for_jobdeck(url: str, database: str) -> str:
    """`postgresql://user:@/postgres?host=…` → `postgresql+psycopg://user@/database?host=…`."""
    address, _, options = url.partition("?")
    server = address.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://", 1).replace(":@", "@", 1)
    return f"{server}/{database}?{options}"
