"""Configurations: saved, versioned parameters of one job type."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import Conflict
from jobdeck.store.schema import configurations, jobs, principals
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.numbers import wide

SHOWN_JOBS = 5


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """Saved parameters of a job type."""

    id: int
    project_id: int
    name: str
    type: str
    params: dict[str, Any]
    version: int
    """Counts its changes from 1."""
    created_by: str | None
    created_at: int
    secrets: str | None = None
    """What is masked in `params`, sealed."""


async def get(connection: AsyncConnection, project_id: int, id: int) -> StoredConfiguration | None:
    """The configuration, when it is one of the project's."""
    query = _QUERY.where(configurations.c.project_id == project_id, configurations.c.id == wide(id))
    row = (await connection.execute(query)).mappings().first()
    return _configuration(row) if row is not None else None


async def page(connection: AsyncConnection, project_id: int, after: int, limit: int) -> list[StoredConfiguration]:
    """Configurations of a project with an id above `after`."""
    mine = (configurations.c.project_id == project_id, configurations.c.id > wide(after))
    rows = (await connection.execute(_QUERY.where(*mine).order_by(configurations.c.id).limit(limit))).mappings()
    return [_configuration(row) for row in rows]


async def create(
    tx: Tx, project_id: int, name: str, type: str, params: str, created_by: int, secrets: str | None = None
) -> int:
    """Save version 1; its id. Raises Conflict when the name is taken. `params` is JSON text."""
    values = {
        "project_id": project_id, "name": name, "type": type, "params": params, "version": 1, "created_by": created_by,
        "created_at": tx.now, "secrets": secrets,
    }  # fmt: skip
    statement = insert(configurations).values(values).returning(configurations.c.id)
    try:
        return int((await tx.connection.execute(statement)).scalar_one())
    except IntegrityError as error:
        raise _taken(name) from error


async def save(tx: Tx, project_id: int, id: int, name: str, type: str, params: str, secrets: str | None = None) -> bool:
    """Save the next version; whether the configuration is there. Raises Conflict when the name is taken."""
    mine = (configurations.c.project_id == project_id, configurations.c.id == wide(id))
    new = {"name": name, "type": type, "params": params, "secrets": secrets}
    values = {**new, "version": configurations.c.version + 1}
    try:
        return (await tx.connection.execute(update(configurations).where(*mine).values(values))).rowcount > 0
    except IntegrityError as error:
        raise _taken(name) from error


async def remove(tx: Tx, project_id: int, id: int) -> bool:
    """Whether it was there; raises Conflict while jobs remember it."""
    mine = (configurations.c.project_id == project_id, configurations.c.id == wide(id))
    if (await tx.connection.execute(select(configurations.c.id).where(*mine))).first() is None:
        return False
    theirs = select(jobs.c.id).where(jobs.c.configuration_id == wide(id)).order_by(jobs.c.id)
    some = list((await tx.connection.execute(theirs.limit(SHOWN_JOBS + 1))).scalars())
    if some:
        named = ", ".join(str(job) for job in some[:SHOWN_JOBS]) + (", …" if len(some) > SHOWN_JOBS else "")
        raise Conflict(
            f"Configuration {id} has jobs that were made of it: {named}.",
            field="id",
            hint="Delete those jobs first, or leave the configuration; nobody has to run it.",
            jobs=some,
        )
    return (await tx.connection.execute(delete(configurations).where(*mine))).rowcount > 0


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a configuration '{name}' already.", field="name", hint="Choose another name.")


_QUERY = select(
    *(c for c in configurations.c if c.name != "created_by"), principals.c.name.label("created_by")
).outerjoin(principals, principals.c.id == configurations.c.created_by)


def _configuration(row: RowMapping) -> StoredConfiguration:
    return StoredConfiguration(
        **{n: row[n] for n in StoredConfiguration.__slots__} | {"params": json.loads(row["params"])}
    )
