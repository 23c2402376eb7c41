"""An installation without workers, and its API: jobs stay as they are put, so that answers can be foretold."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from jobdeck.access.vault import Vault
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.engine.control import Control
from jobdeck.engine.feed import Feed
from jobdeck.engine.garbage import GarbageCollector
from jobdeck.engine.log_store import LogStore
from jobdeck.engine.submitting.submit import Submitter
from jobdeck.jobs.command import Command
from jobdeck.jobs.registry import load_types
from jobdeck.services.core import Core, Installation
from jobdeck.services.data.environments import Environments
from jobdeck.services.masking import Masker, ParamVault
from jobdeck.storage.blobs import Blobs
from jobdeck.store.sql.database import Database
from tests import migrated
from tests.api.harness import Api


@pytest.fixture(scope="session")
def sqlite_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated.sqlite_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def postgres_model(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database to be copied."""
    name = f"model_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    asyncio.run(migrated.make(_named(postgres_url, name)))
    yield name
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_ready_url(sqlite_model: Path, tmp_path: Path) -> str:
    return migrated.sqlite_copy(sqlite_model, tmp_path)


@pytest.fixture
def postgres_ready_url(postgres_url: str, postgres_model: str) -> Iterator[str]:
    name = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_model}" STRATEGY file_copy')
        yield _named(postgres_url, name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _named(url: str, database: str) -> str:
    address, _, options = url.partition("?")
    server = address.rpartition("/")[0].replace("postgresql://", "postgresql+psycopg://", 1).replace(":@", "@", 1)
    return f"{server}/{database}?{options}"


@pytest.fixture(params=["sqlite", "postgres"])
def ready_url(request: pytest.FixtureRequest) -> str:
    """A migrated database: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_ready_url")
    return url


def make_core(database_url: str, folder: Path, storage_url: str = "", options: Mapping[str, str] | None = None) -> Core:
    """The parts of an installation; its storage is a folder, unless an address is given."""
    database = Database(database_url)
    url = storage_url or (folder / "storage").as_uri()
    installation = Installation("9.9.9", url, options or {}, max_upload=8 * 1024 * 1024)
    blobs = Blobs(installation.storage_url, installation.storage_options)
    registry = load_types({})
    logs = LogStore(blobs)
    vault = Vault.in_home(folder)
    garbage = GarbageCollector(database, blobs)
    seals = ParamVault(Masker(registry), vault)
    submitter = Submitter(database, registry, Environments(database, installation).of, seals=seals)
    return Core(
        database, registry, blobs, submitter, Control(database, garbage), Feed(database), logs, installation, garbage,
        vault,
    )  # fmt: skip


@pytest.fixture
async def core(ready_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    """Once on SQLite and once on PostgreSQL."""
    made = make_core(ready_url, tmp_path)
    yield made
    await made.database.close()


@pytest.fixture
async def api(core: Core, home: Path) -> AsyncIterator[Api]:
    """The API, with an administrator's token."""
    async with Api.over(core, home) as made:
        yield made


@pytest.fixture
async def small(sqlite_ready_url: str, tmp_path: Path, home: Path) -> AsyncIterator[Api]:
    """The API on SQLite only, for what does not depend on the database."""
    made = make_core(sqlite_ready_url, tmp_path)
    async with Api.over(made, home) as api:
        yield api
    await made.database.close()


@asynccontextmanager
async def api_of_commands(database_url: str, folder: Path, home: Path) -> AsyncIterator[Api]:
    """The API of an installation that runs programs, and nothing else."""
    core = make_core(database_url, folder)
    registry = TypeRegistry([RegisteredType("command", "jobdeck.jobs.command:Command", Command)])
    seals = ParamVault(Masker(registry), core.vault)
    submitter = Submitter(core.database, registry, Environments(core.database, core.installation).of, seals=seals)
    async with Api.over(replace(core, registry=registry, submitter=submitter), home) as made:
        yield made
    await core.database.close()
