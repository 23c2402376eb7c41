"""An older database, with rows, becomes what a new one would be: principals apart, secrets sealed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, text

from jobdeck.access.caller import Authenticator, TokenText
from jobdeck.access.first_admin import AdminElsewhere, first_admin
from jobdeck.access.own_key import WrongSecretKey, proved_vault
from jobdeck.access.vault import Vault
from jobdeck.core.registry import RegisteredType, TypeRegistry
from jobdeck.jobs.command import Command
from jobdeck.services.masking import Masker, ParamVault
from jobdeck.services.seal_stored import seal_stored
from jobdeck.store import migrate as migrating
from jobdeck.store.migrate import migrate
from jobdeck.store.sql.database import Database, Tx

SECRET = "hunter2hunter2"
PARAMS = {"argv": ["ls"], "env": {"API_TOKEN": SECRET, "B": "other-s3cret"}}
ALICE, TWIN, ADMIN = (TokenText.new() for _ in range(3))


def _put(connection: Connection, table: str, **values: Any) -> None:
    columns = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)


def _old(connection: Connection) -> None:
    """What the first version left: one principal `alice` for tokens of two projects, and secrets in clear."""
    command.upgrade(migrating._config(connection), "0001")
    for id_, name in ((1, "default"), (2, "alpha"), (3, "beta")):
        _put(connection, "projects", id=id_, name=name, title=name, created_at=1)
    for id_, name in ((1, "admin"), (2, "alice"), (3, "Alice")):
        _put(connection, "principals", id=id_, kind="program", name=name, created_at=1)
    for id_, principal, name, project, key in (
        (1, 1, "admin.token", None, ADMIN), (2, 2, "alice", 2, ALICE), (3, 2, "alice", 3, TWIN),
    ):  # fmt: skip
        _put(connection, "tokens", id=id_, principal_id=principal, name=name, role="admin", project_id=project,
             lookup=key.lookup, hash=key.hash, created_at=1)  # fmt: skip
    for id_, project, token, state in ((1, 2, 2, "succeeded"), (2, 3, 3, "pending")):
        _put(connection, "jobs", id=id_, run_id=str(id_), project_id=project, type="command", category="c",
             isolation="process", state=state, description="d", params=json.dumps(PARAMS), tags="[]", claims="[]",
             priority=0, order_key=id_, on_child_failure="fail", created_by=2, token_id=token, created_at=1, attempt=1,
             epoch=0, leased=False, state_since=1, queued_at=1, dirty_since=0, losses=0, queued_us=0, running_us=0,
             paused_us=0, fraction=0.0, warnings=0)  # fmt: skip
    _put(connection, "configurations", id=1, project_id=2, name="c", type="command", params=json.dumps(PARAMS),
         version=1, created_by=2, created_at=1)  # fmt: skip
    if connection.dialect.name == "postgresql":  # as if the ids had been drawn
        for table in ("projects", "principals", "tokens", "jobs", "configurations"):
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 100)"))


@pytest.fixture
async def old(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.transact(lambda tx: tx.connection.run_sync(_old))
    yield opened
    await opened.close()


async def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.read() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def test_tokens_of_one_name_in_two_projects_become_two_principals(old: Database) -> None:
    await migrate(old)
    tell = Authenticator(old)
    alice, twin = await tell.caller(str(ALICE)), await tell.caller(str(TWIN))
    assert (alice.name, twin.name) == ("alice", "beta/alice")
    assert alice.principal_id == 2 != twin.principal_id
    assert await rows(old, "SELECT id, created_by FROM jobs ORDER BY id") == [(1, 2), (2, twin.principal_id)]
    found = await rows(old, "SELECT name, skeleton, project_id FROM principals ORDER BY id")
    assert len({skeleton for _, skeleton, _ in found}) == 4
    assert [project for _, _, project in found] == [None, 2, None, 3]


async def test_secrets_in_clear_are_sealed_once_and_stand_nowhere(old: Database, tmp_path: Path) -> None:
    await migrate(old)
    registry = TypeRegistry([RegisteredType("command", "jobdeck.jobs.command:Command", Command)])
    seals = ParamVault(Masker(registry), Vault.in_home(tmp_path))
    file = Path(old.url.database or "") if old.dialect == "sqlite" else None
    for _ in range(2):
        await seal_stored(old, seals, file)
    stored = await rows(old, "SELECT params, secrets, project_id FROM jobs UNION ALL "
                             "SELECT params, secrets, project_id FROM configurations")  # fmt: skip
    assert len(stored) == 3
    for params, box, project in stored:
        assert SECRET not in params + box
        assert "s3cret" not in params + box
        assert seals.open(project, json.loads(params), box) == PARAMS
    if file is not None:
        for path in file.parent.glob(f"{file.name}*"):
            assert SECRET.encode() not in path.read_bytes(), path


async def test_who_has_the_token_stays_the_administrators_home(old: Database, tmp_path: Path) -> None:
    await migrate(old)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with pytest.raises(AdminElsewhere):
        await first_admin(old, second)
    (first / "admin.token").write_text(str(ADMIN))
    assert await first_admin(old, first) == str(ADMIN)
    with pytest.raises(AdminElsewhere):
        await first_admin(old, second)
    (first / "admin.token").unlink()
    assert await first_admin(old, first) != str(ADMIN)


async def test_an_older_box_proves_the_key(old: Database, tmp_path: Path) -> None:
    await migrate(old)
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    other.mkdir()
    box = Vault.in_home(home).seal({"key": "k"}, "connection:2/c")

    async def work(tx: Tx) -> None:
        statement = text(
            "INSERT INTO connections (project_id, name, kind, options, secrets, created_at) "
            "VALUES (2, 'c', 'files', '{}', :secrets, 1)"
        )
        await tx.connection.execute(statement, {"secrets": json.dumps({"shape": {}, "box": box})})

    await old.transact(work)
    with pytest.raises(WrongSecretKey, match=r"secret\.key"):
        await proved_vault(old, "", other)
    assert not (other / "secret.key").exists()
    assert (await proved_vault(old, "", home)).open(box, "connection:2/c") == {"key": "k"}
    Vault.in_home(other)
    with pytest.raises(WrongSecretKey, match="other"):
        await proved_vault(old, "", other)
