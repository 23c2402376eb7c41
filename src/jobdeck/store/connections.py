"""Connections of a project to the systems that its jobs read from and write to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import Conflict
from jobdeck.core.values import encode, flat
from jobdeck.store.schema import connections
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """Secrets as they are stored: their shape with masks in the place of values, and the values, encrypted."""

    shape: dict[str, Any]
    box: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """`kind` names the connector, `options` are its configuration. `created_at` µs."""

    name: str
    kind: str
    options: dict[str, Any]
    secrets: SealedSecrets | None
    created_at: int


async def of_project(connection: AsyncConnection, project_id: int) -> list[StoredConnection]:
    """The project's connections, by name."""
    query = select(connections).where(connections.c.project_id == project_id).order_by(connections.c.name)
    return [_connection(row) for row in (await connection.execute(query)).mappings()]


class SealedSample(NamedTuple):
    """The secrets of one connection, sealed."""

    project_id: int
    name: str
    box: str


async def any_sealed(connection: AsyncConnection) -> SealedSample | None:
    """The secrets of any connection, to try a key on."""
    columns = (connections.c.project_id, connections.c.name, connections.c.secrets)
    row = (await connection.execute(select(*columns).where(connections.c.secrets.is_not(None)).limit(1))).first()
    return None if row is None else SealedSample(row[0], row[1], json.loads(row[2])["box"])


async def create(tx: Tx, project_id: int, new: StoredConnection, principal_id: int, actor: str) -> None:
    """Keep it; raises Conflict when the name is taken."""
    values = {
        "project_id": project_id, "name": new.name, "kind": new.kind, "options": encode(new.options),
        "secrets": _kept(new), "created_by": principal_id, "created_at": tx.now,
    }  # fmt: skip
    try:
        await tx.connection.execute(insert(connections).values(values))
    except IntegrityError as error:
        raise Conflict(
            f"There is a connection '{new.name}' already.",
            field="name",
            hint="Choose another name.",
        ) from error
    tx.emit(NewEvent("connection.created", project_id, None, actor, {"name": new.name, "kind": new.kind}))


async def get(connection: AsyncConnection, project_id: int, name: str) -> StoredConnection | None:
    """One of the project's connections."""
    mine = (connections.c.project_id == project_id, connections.c.name == name)
    row = (await connection.execute(select(connections).where(*mine))).mappings().first()
    return None if row is None else _connection(row)


async def change(tx: Tx, project_id: int, before: StoredConnection, after: StoredConnection, actor: str) -> bool:
    """Keep its new options and secrets, where it still is what it was `before`; whether it was."""
    mine = (connections.c.project_id == project_id, connections.c.name == before.name)
    same = (connections.c.options == encode(before.options), connections.c.secrets.is_not_distinct_from(_kept(before)))
    values = {"options": encode(after.options), "secrets": _kept(after)}
    changed = await tx.connection.execute(update(connections).where(*mine, *same).values(values))
    if not changed.rowcount:
        return False
    told = {"name": after.name, "kind": after.kind, "changed": _changed(before, after)}
    tx.emit(NewEvent("connection.changed", project_id, None, actor, told))
    return True


def _changed(before: StoredConnection, after: StoredConnection) -> list[str]:
    """The names of the options that are others now, and `secrets` where those are; never a value."""
    old, new = dict(flat(before.options)), dict(flat(after.options))
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return [*names, *(["secrets"] if _kept(before) != _kept(after) else [])]


def _kept(of: StoredConnection) -> str | None:
    return None if of.secrets is None else encode({"shape": of.secrets.shape, "box": of.secrets.box})


async def remove(tx: Tx, project_id: int, name: str, actor: str) -> bool:
    """Whether there was one."""
    mine = (connections.c.project_id == project_id, connections.c.name == name)
    gone = (await tx.connection.execute(delete(connections).where(*mine))).rowcount > 0
    if gone:
        tx.emit(NewEvent("connection.deleted", project_id, None, actor, {"name": name}))
    return gone


def _connection(row: RowMapping) -> StoredConnection:
    stored = json.loads(row["secrets"]) if row["secrets"] else None
    secrets = SealedSecrets(stored["shape"], stored["box"]) if stored else None
    return StoredConnection(row["name"], row["kind"], json.loads(row["options"]), secrets, row["created_at"])
