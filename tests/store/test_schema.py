"""A fresh schema equals a migrated one, and what the database itself guards."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from jobdeck.core.claims import Claim
from jobdeck.core.life.endings import Finished
from jobdeck.core.life.operations import Operation
from jobdeck.store.migrate import migrate
from jobdeck.store.running import leases
from jobdeck.store.schema import metadata
from jobdeck.store.sql.database import Database
from tests.store.desk import Desk, new_job

SQLITE_OBJECTS = """
    SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view', 'index') AND sql IS NOT NULL"""
POSTGRESQL_OBJECTS = """
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
              WHERE connamespace = 'public'::regnamespace"""

MADE_BY_MIGRATIONS = {"trigger", "function", "view"}
GUARDS = {
    ("trigger", "events_fixed"), ("trigger", "events_kept"), ("trigger", "jobs_final_state"), ("trigger", "jobs_gone"),
    ("trigger", "jobs_loosened"), ("view", "claims_held"),
}  # fmt: skip
"""What each database has besides tables and indexes: a migration that makes a table anew loses its triggers."""


def _described(connection: Connection) -> dict[str, Any]:
    """Tables, columns with types and defaults, keys, constraints, indexes, triggers and views."""
    look = inspect(connection)
    tables = {}
    for name in look.get_table_names():
        columns = [
            (c["name"], str(c["type"]), c["nullable"], str(c["default"]), c.get("autoincrement"))
            for c in look.get_columns(name)
        ]
        tables[name] = {
            "columns": sorted(columns),
            "key": look.get_pk_constraint(name),
            "foreign": sorted(look.get_foreign_keys(name), key=str),
            "unique": sorted(look.get_unique_constraints(name), key=str),
            "checks": sorted(look.get_check_constraints(name), key=str),
            "autoincrement": _autoincrement(connection, name),
        }
    tables.pop("alembic_version", None)
    query = SQLITE_OBJECTS if connection.dialect.name == "sqlite" else POSTGRESQL_OBJECTS
    objects = {(kind, name): " ".join(sql.split()) for kind, name, sql in connection.execute(text(query))}
    return {"tables": tables, "objects": {k: v for k, v in objects.items() if "alembic" not in k[1]}}


def _autoincrement(connection: Connection, table: str) -> bool:
    if connection.dialect.name != "sqlite":
        return False
    found = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :table"), {"table": table}).scalar_one()
    return "AUTOINCREMENT" in found.upper()


async def _description(database: Database) -> dict[str, Any]:
    return await database.transact(lambda tx: tx.connection.run_sync(_described))


async def test_only_what_is_not_up_to_date_is_migrated(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking is cheap; the tool that migrates takes memory and time in every process that starts."""
    asked = []
    database = Database(database_url)
    try:
        await migrate(database)
        monkeypatch.setattr("alembic.command.upgrade", lambda _config, revision: asked.append(revision))
        await migrate(database)
        assert not asked
        await database.transact(lambda tx: tx.connection.execute(text("UPDATE alembic_version SET version_num = '0'")))
        await migrate(database)
        assert asked == ["head"]
    finally:
        await database.close()


async def test_fresh_schema_equals_migrated_schema(database_url: str) -> None:
    database = Database(database_url)

    await database.transact(lambda tx: tx.connection.run_sync(metadata.create_all))
    fresh = await _description(database)
    await database.transact(lambda tx: tx.connection.run_sync(metadata.drop_all))
    await migrate(database)
    migrated = await _description(database)
    await database.close()
    assert len(fresh["tables"]) == len(metadata.tables)
    assert fresh["tables"] == migrated["tables"]
    assert fresh["objects"] == {k: v for k, v in migrated["objects"].items() if k[0] not in MADE_BY_MIGRATIONS}
    assert {k for k in migrated["objects"] if k[0] in ("trigger", "view")} == GUARDS


async def test_migrating_again_changes_nothing(desk: Desk) -> None:
    before = await _description(desk.database)
    await migrate(desk.database)
    assert await _description(desk.database) == before


@pytest.mark.parametrize("final", ["succeeded", "canceled"])
@pytest.mark.parametrize(
    "change",
    [
        "state = 'pending'",
        "state = 'failed'",
        "state = CASE state WHEN 'canceled' THEN 'succeeded' ELSE 'canceled' END",
        "attempt = attempt + 1",
        "result = '\"other\"'",
    ],
)
async def test_the_database_refuses_to_change_a_final_state(desk: Desk, final: str, change: str) -> None:
    job = await desk.running()
    if final == "succeeded":
        await desk.leave(job, Finished("1"))
    else:
        await desk.operate(Operation.CANCEL, job.id)
        await desk.expire()
    before = await desk.rows("jobs")
    assert before[0]["state"] == final
    with pytest.raises(DBAPIError, match="final state of a job never changes"):
        await desk.sql(f"UPDATE jobs SET {change} WHERE id = :id", id=job.id)
    assert await desk.rows("jobs") == before
    await desk.sql("UPDATE jobs SET tags = '[1]', state = state WHERE id = :id", id=job.id)


@pytest.mark.parametrize("state", ["bogus", ""])
async def test_the_database_knows_its_states(desk: Desk, state: str) -> None:
    job_id = await desk.one()
    with pytest.raises(DBAPIError):
        await desk.sql("UPDATE jobs SET state = :state WHERE id = :id", id=job_id, state=state)


async def test_held_claims_are_a_view_of_live_leases(desk: Desk) -> None:
    ids = await desk.submit(new_job(Claim("x", 3)), new_job(Claim.exclusive('object:lake/"q"/ä')), new_job())
    await desk.assign(*ids[:2])
    async with desk.database.read() as connection:
        found = (await connection.execute(text("SELECT job_id, resource, units, mode FROM claims_held"))).all()
        held = await leases.held(connection)
    expected = {(job, *c.to_json()) for job, (_, claims) in held.items() for c in claims}
    assert {tuple(row) for row in found} == expected
    assert len(found) == 10
    assert (ids[0], "project:p/x", 3, "s") in expected
    await desk.leave(await desk.job(ids[0]), Finished())
    async with desk.database.read() as connection:
        jobs = (await connection.execute(text("SELECT DISTINCT job_id FROM claims_held"))).scalars().all()
    assert jobs == [ids[1]]
