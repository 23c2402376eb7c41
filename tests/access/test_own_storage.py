"""Database and storage know each other: a process that has another storage is told so when it starts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobdeck.access.own_storage import MARK, WrongStorage, prove_storage
from jobdeck.config import load
from jobdeck.services.admin.health import ONLY_HERE
from jobdeck.storage.blobs import Blobs
from jobdeck.store.access import principals
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.database import Database
from tests.s3 import Bucket


def _blobs(folder: Path) -> Blobs:
    return Blobs(folder.as_uri())


async def _begun(url: str) -> Database:
    database = Database(url)
    await migrate(database)
    return database


async def test_a_process_with_a_storage_of_its_own_is_refused(tmp_path: Path, postgres_database_url: str) -> None:
    """The server's is named; the other one is left as it was."""
    database = await _begun(postgres_database_url)
    shared, own = _blobs(tmp_path / "shared"), _blobs(tmp_path / "own")
    await prove_storage(database, shared, serves=True)
    await database.transact(lambda tx: principals.ensure(tx, "admin"))
    await prove_storage(database, _blobs(tmp_path / "shared"), serves=False)
    with pytest.raises(WrongStorage, match=r"/own is not the storage.*it has no mark.*/shared") as refused:
        await prove_storage(database, own, serves=False)
    assert "JOBDECK_STORAGE_URL" in (refused.value.hint or "")
    assert not list((tmp_path / "own").iterdir())
    (tmp_path / "shared" / MARK).rename(tmp_path / "own" / MARK)
    await prove_storage(database, own, serves=True)  # it was moved, with its mark
    await database.close()


async def test_a_new_database_on_the_storage_of_another_is_refused(tmp_path: Path) -> None:
    """Its jobs and files would have the ids of old ones."""
    blobs = _blobs(tmp_path / "storage")
    first = await _begun(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await prove_storage(first, blobs, serves=True)
    second = await _begun(f"sqlite+aiosqlite:///{tmp_path / 'b.db'}")
    await prove_storage(second, blobs, serves=True)  # nothing is in it yet
    await blobs.put("projects/default/files/1", b"x")
    third = await _begun(f"sqlite+aiosqlite:///{tmp_path / 'c.db'}")
    with pytest.raises(WrongStorage, match="belongs to another installation, and this database is new") as refused:
        await prove_storage(third, blobs, serves=True)
    assert "jobdeck move-database" in (refused.value.hint or "")
    for database in (first, second, third):
        await database.close()


async def test_an_older_installation_is_marked(tmp_path: Path) -> None:
    """It has people and data, and neither side knows a word yet."""
    blobs = _blobs(tmp_path / "storage")
    await blobs.put("projects/default/files/1", b"x")
    database = await _begun(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    await database.transact(lambda tx: principals.ensure(tx, "admin"))
    await prove_storage(database, blobs, serves=True)
    await prove_storage(database, blobs, serves=True)
    await database.close()


async def test_processes_that_begin_at_one_moment_agree(postgres_database_url: str, s3_bucket: Bucket) -> None:
    database = await _begun(postgres_database_url)
    many = [Blobs(s3_bucket.url, s3_bucket.options) for _ in range(5)]
    await asyncio.gather(*(prove_storage(database, blobs, serves=True) for blobs in many))
    assert s3_bucket.keys_of_objects() == [MARK]
    await database.close()


def test_a_storage_in_the_home_beside_postgresql_is_known(tmp_path: Path) -> None:
    postgres = "postgresql://u@h/d"
    assert load(home=tmp_path, database_url=postgres).storage_is_only_here
    assert not load(home=tmp_path, database_url=postgres, storage_url="s3://b").storage_is_only_here
    assert not load(home=tmp_path).storage_is_only_here
    assert ONLY_HERE == "only_on_this_machine"
