"""An installation moves from SQLite to PostgreSQL by one command, and goes on there as if nothing had been."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    insert,
    select,
)

from jobdeck import Client
from jobdeck.access.vault import Vault
from jobdeck.core.errors import Conflict
from jobdeck.core.life.states import State
from jobdeck.services.admin.moving import DatabaseMoved, Move, move_database
from jobdeck.services.data.connections import place
from jobdeck.store import connections, projects
from jobdeck.store.awaiting import DatabaseRefuses
from jobdeck.store.migrate import migrate
from jobdeck.store.moving.copying import RowNotMovable, TargetNotEmpty, copy_all
from jobdeck.store.schema import metadata, workers
from jobdeck.store.sql.database import Database, Tx
from jobdeck.wire.admin import Me
from jobdeck.wire.jobs import Job
from jobdeck.wire.objects import File
from tests.faults.installation import KEY, Installation, installation

SLOW = 120.0
"""Seconds that a command may take."""


def _refused(home: Path, to: str) -> Conflict:
    source = home / "jobdeck.db"
    with pytest.raises(Conflict) as refused:
        asyncio.run(move_database(Move(home, source, f"sqlite+aiosqlite:///{source}", to)))
    return refused.value


def _move(home: Path, to: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
    command = [sys.executable, "-m", "jobdeck.cli.main", "move-database", "--home", str(home), "--to", to]
    return subprocess.run(command, env=clean, capture_output=True, text=True, timeout=SLOW, check=False)


def _worker_with_a_storage_of_its_own(home: Path, url: str) -> str:
    """What it says when it refuses to start."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBDECK_")}
    own = {**clean, "JOBDECK_HOME": str(home), "JOBDECK_DATABASE_URL": url, "JOBDECK_SECRET_KEY": KEY}
    command = [sys.executable, "-m", "jobdeck.cli.main", "worker"]
    ended = subprocess.run(command, env=own, capture_output=True, text=True, timeout=SLOW, check=False)
    assert ended.returncode == 2
    return ended.stderr


def _csv(folder: Path, name: str, first: int, rows: int) -> Path:
    path = folder / name
    path.write_text("id,name\n" + "".join(f"{n},n{n}\n" for n in range(first, first + rows)))
    return path


def _import(site: Installation, path: Path) -> int:
    """Upload and load into the table of before; the id of the file."""
    with site.client() as client:
        file = client.files.upload(path)
        job = client.jobs.submit("import", {"files": [f"file:{file.id}"], "into": "lake/shop/orders"})
    site.until_state(job.id, State.SUCCEEDED)
    return file.id


def _seen(client: Client) -> tuple[list[Job], list[File], Me]:
    return list(client.jobs.list()), list(client.files.list()), client.me()


def _secrets(url: str) -> dict[str, Any]:
    """Of the connection, opened with the installation's key."""

    async def opened() -> dict[str, Any]:
        database = Database(url)
        async with database.read() as connection:
            found = await connections.of_project(connection, 1)
        await database.close()
        assert found[0].secrets is not None
        return Vault(KEY).open(found[0].secrets.box, place(1, found[0].name))

    return asyncio.run(opened())


def _rows(client: Client) -> int | None:
    return client.objects.describe("lake/shop/orders").rows


def test_all_of_it_moves_and_goes_on(home: Path, tmp_path: Path, postgres_database_url: str) -> None:
    secret = {"options": {"aws_access_key_id": "k", "aws_secret_access_key": "s3cret-of-before"}}
    with installation(home, "") as site:
        served = site.up()
        first = _import(site, _csv(tmp_path, "a.csv", 0, 100))
        with site.client() as client:
            client.connections.create("bucket", "files", {"url": "s3://b/p"}, secret)
            gone = client.jobs.submit("noop")
            site.until_state(gone.id, State.SUCCEEDED)
            client.jobs.delete(gone.id)
            before = _seen(client)
        assert "is running in" in _refused(home, postgres_database_url).message
        assert served.stop() == 0
    moved = _move(home, postgres_database_url)
    assert moved.returncode == 0, moved.stderr
    assert "counts and checksums agree" in moved.stdout
    assert "s3cret" not in moved.stdout
    assert isinstance(_refused(home, postgres_database_url), DatabaseMoved)
    with installation(home, postgres_database_url) as site:
        site.up()
        with site.client() as client:
            assert _seen(client) == before
            fresh = client.jobs.submit("noop")
        assert fresh.id == gone.id + 1, "keys go on behind the highest that was ever given"
        assert _import(site, _csv(tmp_path, "b.csv", 100, 50)) == first + 1
        told = _worker_with_a_storage_of_its_own(tmp_path / "elsewhere", postgres_database_url)
        assert "is not the storage of this installation: it has no mark of it." in told
        assert f"Its servers have it at {(home / 'storage').as_uri()}." in told
        with site.client() as client:
            assert _rows(client) == 150
    assert _secrets(postgres_database_url) == secret


async def test_a_database_that_is_not_there_is_told_with_how_to_make_it(
    tmp_path: Path, postgres_database_url: str
) -> None:
    source = Database(f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}")
    await migrate(source)
    server, _, options = postgres_database_url.partition("?")
    there = f"{server.rpartition('/')[0]}/no_such_one?{options}"
    with pytest.raises(DatabaseRefuses, match='database "no_such_one" does not exist') as refused:
        await move_database(Move(tmp_path, tmp_path / "jobdeck.db", str(source.url), there))
    assert refused.value.field == "to"
    assert (refused.value.hint or "").startswith("Make it (`createdb no_such_one`,")
    await source.close()


async def test_a_database_that_is_not_empty_is_left_as_it_is(tmp_path: Path, postgres_database_url: str) -> None:
    source, target = Database(f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}"), Database(postgres_database_url)
    move = Move(tmp_path, tmp_path / "jobdeck.db", str(source.url), postgres_database_url)
    await migrate(source)
    await source.transact(projects.ensure_default)
    plain = postgres_database_url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute("CREATE TABLE guests (id int)")
        with pytest.raises(TargetNotEmpty, match="it has the table 'guests'"):
            await move_database(move)
        other.execute("DROP TABLE guests")
    await migrate(target)
    await target.transact(projects.ensure_default)
    with pytest.raises(TargetNotEmpty, match="has rows"):
        await move_database(move)
    await source.close()
    await target.close()


async def test_every_kind_of_value_arrives_or_nothing_does(tmp_path: Path, postgres_database_url: str) -> None:
    """Every table, with the least and the greatest that its columns hold; what PostgreSQL cannot store is named."""
    source, target = Database(f"sqlite+aiosqlite:///{tmp_path / 'jobdeck.db'}"), Database(postgres_database_url)
    await migrate(source)
    await migrate(target)
    other = Database(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    await migrate(other)
    bad = insert(workers).values(_values(workers, 1) | {"name": "a\0b"})
    await other.transact(lambda tx: tx.connection.execute(bad))
    with pytest.raises(RowNotMovable, match="table 'workers'"):
        await copy_all(other, target)
    await source.transact(_fill)
    moved = await copy_all(source, target)
    assert len(moved) == len(metadata.sorted_tables)
    assert {table.rows for table in moved} == {3}
    async with source.read() as before, target.read() as after:
        for table in metadata.sorted_tables:
            rows = [sorted(map(str, await c.execute(select(table)))) for c in (before, after)]
            assert rows[0] == rows[1], table.name
    for database in (source, target, other):
        await database.close()


async def _fill(tx: Tx) -> None:
    for table in metadata.sorted_tables:
        await tx.connection.execute(insert(table), [_values(table, number) for number in (1, 2, 3)])


def _values(table: Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: Column[Any], number: int) -> Any:
    if column.foreign_keys or (column.primary_key and not isinstance(column.type, Text)):
        return number
    if column.name in ("state", "kind") and column.table.name in ("jobs", "steps", "tasks", "bulks"):
        return "failed" if column.table.name != "bulks" else "finished"
    if column.nullable and number == 2:
        return None
    match column.type:
        case Boolean():
            return number == 3
        case Float():
            return 0.1 * number
        case SmallInteger():
            return 2**15 - number
        case BigInteger():
            return 2**63 - number
        case Integer():
            return 2**31 - number
        case LargeBinary():
            return bytes(range(256)) * number
        case _:
            return f"{number}\t\\N\n\r{chr(0x1F600)}ß"
