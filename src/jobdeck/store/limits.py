"""Limits: the capacity of a resource by its qualified name, and what live leases hold of the resources."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, column, delete, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.claims import local_name, qualify
from jobdeck.store.schema import limits
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent

held = table("claims_held", column("job_id"), column("resource"), column("units"), column("mode"))
"""The view of what live leases hold (see migrations/guards_0001.py)."""

MAX_CAPACITY = 2**31 - 1


async def capacities(connection: AsyncConnection, project: str | None = None) -> dict[str, int]:
    """Capacities that were set, by qualified resource; of one project's resources, or all."""
    query = select(limits.c.resource, limits.c.capacity)
    if project is not None:
        query = query.where(_of_project(limits.c.resource, project))
    return {row.resource: row.capacity for row in await connection.execute(query)}


async def holders(connection: AsyncConnection, resource: str, most: int) -> tuple[int, list[int]]:
    """How many jobs hold the qualified `resource` now, and the first `most` of them."""
    mine = held.c.resource == resource
    count = (await connection.execute(select(func.count()).select_from(held).where(mine))).scalar_one()
    query = select(held.c.job_id).where(mine).order_by(held.c.job_id).limit(most)
    return count, list((await connection.execute(query)).scalars())


async def of_configuration(connection: AsyncConnection, project: str, id: int) -> list[str]:
    """The limits that were set for a configuration, alone or per token, by qualified resource."""
    own = f"{qualify(project, 'configuration')}:{id}"
    return [name for name in await capacities(connection, project) if name == own or name.startswith(f"{own}/token:")]


async def put(tx: Tx, resource: str, project_id: int | None, capacity: int, actor: str) -> None:
    """Set the capacity of the qualified `resource`."""
    values = {"project_id": project_id, "capacity": capacity, "set_by": actor, "set_at": tx.now}
    await tx.put(limits, {"resource": resource}, values)
    tx.emit(_event("limit.set", resource, project_id, actor, {"capacity": capacity}))


async def clear(tx: Tx, resource: str, project_id: int | None, actor: str) -> bool:
    """Remove the limit; whether there was one."""
    gone = (await tx.connection.execute(delete(limits).where(limits.c.resource == resource))).rowcount > 0
    if gone:
        tx.emit(_event("limit.cleared", resource, project_id, actor, {}))
    return gone


def _event(kind: str, resource: str, project_id: int | None, actor: str, data: dict[str, Any]) -> NewEvent:
    return NewEvent(kind, project_id, None, actor, {"resource": local_name(resource), **data})


def _of_project(resource: ColumnElement[Any], project: str) -> ColumnElement[bool]:
    prefix = f"project:{project}/"
    return or_(resource == f"project:{project}", func.substr(resource, 1, len(prefix)) == prefix)
