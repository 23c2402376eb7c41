"""Connections of a project to the systems that its jobs read from and write to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import connections


@dataclass(frozen=True, slots=True)
class Connection:
    """`kind` names the connector, `options` are its configuration; secrets are not part of it. `created_at` µs."""

    name: str
    kind: str
    options: dict[str, Any]
    created_at: int


async def of_project(connection: AsyncConnection, project_id: int) -> list[Connection]:
    """The project's connections, by name."""
    query = select(connections).where(connections.c.project_id == project_id).order_by(connections.c.name)
    return [_connection(row) for row in (await connection.execute(query)).mappings()]


def _connection(row: RowMapping) -> Connection:
    return Connection(row["name"], row["kind"], json.loads(row["options"]), row["created_at"])
