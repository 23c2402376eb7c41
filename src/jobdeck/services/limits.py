"""Limits: how much of a resource the jobs of a project may hold, what they hold now, and which jobs do."""

from __future__ import annotations

import re

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.claims import local_name, qualify
from jobdeck.core.errors import InvalidInput, NotFound
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.store import limits
from jobdeck.store.database import Tx
from jobdeck.store.limits import MAX_CAPACITY, Use
from jobdeck.wire.admin import Limit
from jobdeck.wire.base import Page
from jobdeck.wire.jobs import MAX_BATCH

MAX_RESOURCE = 1100
_RESOURCE = re.compile(r"project|[a-z][a-z0-9_-]{0,40}:[^\0]+")
NOTHING = Use(0, ())


class Limits:
    """The use cases of limits. Resources carry local names: `project`, `type:import`, `object:lake/b/t`, …"""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Limit]:
        """Every resource of the project that has a limit or is held now, by name."""
        caller.require(Permission.LIMIT_READ)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            capacities = await limits.capacities(connection, project.name)
            uses = await limits.uses(connection, project.name)
        own = qualify(project.name, "project")
        if self._core.installation.project_limit is not None:
            capacities.setdefault(own, self._core.installation.project_limit)
        start = str(cursors.decode(cursor, "limits", str)[0]) if cursor else ""
        known = capacities.keys() | uses.keys()
        names = sorted((name for name in known if local_name(name) > start), key=local_name)
        items = [_limit(n, capacities.get(n), uses.get(n, NOTHING)) for n in names[:limit]]
        more = len(names) > limit
        return Page[Limit](items=items, next=cursors.encode("limits", items[-1].resource) if more else None)

    async def put(self, caller: Caller, project_name: str, resource: str, capacity: int) -> Limit:
        """Set the capacity of a resource of the project."""
        _check(resource, capacity)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            uses = await limits.uses(connection, project.name)
        caller.require(Permission.LIMIT_SET)
        name = qualify(project.name, resource)

        async def work(tx: Tx) -> None:
            await limits.put(tx, name, project.id, capacity, caller.name)

        await self._core.database.transact(work)
        return _limit(name, capacity, uses.get(name, NOTHING))

    async def clear(self, caller: Caller, project_name: str, resource: str) -> None:
        """Remove the limit of a resource; raises NotFound when none was set."""
        _check(resource, 0)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
        caller.require(Permission.LIMIT_SET)
        name = qualify(project.name, resource)
        if not await self._core.database.transact(lambda tx: limits.clear(tx, name, project.id, caller.name)):
            raise NotFound(f"No limit is set for '{resource}'.", field="resource")


def _check(resource: str, capacity: int) -> None:
    if len(resource) > MAX_RESOURCE or not _RESOURCE.fullmatch(resource):
        raise InvalidInput(
            f"'{resource[:100]}' is not the name of a resource.",
            field="resource",
            hint="Write project, type:<type>, object:<ref>, children:<job>, or <kind>:<name> as job types claim them.",
        )
    if capacity > MAX_CAPACITY:
        raise InvalidInput(f"A capacity is at most {MAX_CAPACITY}.", field="capacity")


def _limit(name: str, capacity: int | None, use: Use) -> Limit:
    return Limit(resource=local_name(name), capacity=capacity, used=use.used, holders=list(use.holders[:MAX_BATCH]))
