"""Limits: how much of a resource jobs may hold, what they hold now, and which jobs do; of a project, or of all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.claims import Held, Holding, local_name, qualify
from jobdeck.core.errors import InvalidInput, JobdeckError, NotFound
from jobdeck.core.refs import ObjectRef
from jobdeck.services import cursors
from jobdeck.services.admin import limit_names
from jobdeck.services.core import Core
from jobdeck.services.data.environments import Environments
from jobdeck.store import configurations, connections, limits
from jobdeck.store.limits import MAX_CAPACITY
from jobdeck.store.projects import StoredProject
from jobdeck.store.running import leases, workers
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.store.views import job_views
from jobdeck.wire.admin import Limit
from jobdeck.wire.base import Page

MAX_HOLDERS = 1000
"""Jobs named as holders of one resource, at most; `used` counts all."""
PATIENCE = 5.0
"""Seconds that the look for tables of nearly the same name may take."""
WORKER_IS_RECENT = 24 * 3600 * 1_000_000
"""µs for which the types of a worker that is silent are still taken for types that there are."""


class Limits:
    """The use cases of limits. A project's resources carry local names: `type:import`, `object:lake/b/t`, …"""

    def __init__(self, core: Core, environments: Environments) -> None:
        self._core = core
        self._environments = environments

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Limit]:
        """Every resource of the project that has a limit or is held now, by name."""
        caller.require(Permission.LIMIT_READ)
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            capacities = await limits.capacities(connection, project.name)
            held = await _held(connection)
        own = qualify(project.name, "project")
        if self._core.installation.project_limit is not None:
            capacities.setdefault(own, self._core.installation.project_limit)
        inside = (name for name in {*capacities, *held.resources()} if name == own or name.startswith(f"{own}/"))
        return _page("limits", inside, capacities, held, cursor, limit)

    async def common_page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Limit]:
        """Every resource that all projects share and that has a limit or is held now, by name."""
        caller.require(Permission.INSTANCE_LIMIT_READ)
        async with self._core.database.read() as connection:
            capacities = await limits.capacities(connection)
            held = await _held(connection)
        shared = (name for name in {*capacities, *held.resources()} if not name.startswith("project:"))
        return _page("instance-limits", shared, capacities, held, cursor, limit)

    async def put(
        self, caller: Caller, project_name: str, resource: str, capacity: int, *, as_written: bool = False
    ) -> Limit:
        """Set the capacity of a resource of the project; a name that looks like a slip only if it is `as_written`."""
        _check_capacity(capacity)
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
            local = limit_names.own(resource, project.name)
            caller.require(Permission.LIMIT_SET)
            if not as_written:
                await self._refuse_slip(connection, project, local)
        if not as_written and local.startswith("object:lake/"):
            await self._refuse_slip_of_table(project, local)
        return await self._put(caller, qualify(project.name, local), project.id, capacity)

    async def put_common(self, caller: Caller, resource: str, capacity: int) -> Limit:
        """Set the capacity of a resource that all projects share."""
        _check_capacity(capacity)
        caller.require(Permission.INSTANCE_LIMIT_SET)
        async with self._core.database.read() as connection:
            limit_names.check_common(resource, await self._types(connection))
        return await self._put(caller, resource, None, capacity)

    async def clear(self, caller: Caller, project_name: str, resource: str) -> None:
        """Remove the limit of a resource; raises NotFound when none was set."""
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name)
        limit_names.check(resource, limit_names.OWN)
        caller.require(Permission.LIMIT_SET)
        await self._clear(caller, qualify(project.name, resource), project.id)

    async def clear_common(self, caller: Caller, resource: str) -> None:
        """Remove a limit of all projects; raises NotFound when none was set."""
        caller.require(Permission.INSTANCE_LIMIT_SET)
        limit_names.check(resource, limit_names.COMMON)
        if resource.startswith("project:"):
            raise limit_names.bad_name(resource, limit_names.COMMON)
        await self._clear(caller, resource, None)

    async def _put(self, caller: Caller, name: str, project_id: int | None, capacity: int) -> Limit:
        async def work(tx: Tx) -> None:
            await limits.put(tx, name, project_id, capacity, caller.name)

        await self._core.database.transact(work)
        async with self._core.database.read() as connection:
            held = await _held(connection)
        return _limit(name, capacity, held.of(name))

    async def _clear(self, caller: Caller, name: str, project_id: int | None) -> None:
        if not await self._core.database.transact(lambda tx: limits.clear(tx, name, project_id, caller.name)):
            raise await self._not_set(name)

    async def _not_set(self, name: str) -> NotFound:
        """With the limit that may have been meant."""
        async with self._core.database.read() as connection:
            there = await limits.capacities(connection)
        project = name.partition("/")[0] if name.startswith("project:") else ""
        mine = [local_name(n) for n in there if (n.partition("/")[0] if n.startswith("project:") else "") == project]
        hint = limit_names.nearest(local_name(name), mine) or f"GET {_listed(project)} lists those that are set."
        return NotFound(f"No limit is set for '{local_name(name)}'.", field="resource", hint=hint)

    async def _types(self, connection: Connection) -> set[str]:
        """The job types that can be run: here, or on a worker that is there."""
        registry = self._core.registry
        now = await self._core.database.clock.now(connection)
        there = await workers.alive(connection, now - WORKER_IS_RECENT)
        own = {registered.name for registered in registry} | {broken.name for broken in registry.broken}
        return own.union(*(worker.types for worker in there))

    async def _refuse_slip(self, connection: Connection, project: StoredProject, local: str) -> None:
        """Raises InvalidInput for the name of something that there is not: such a limit would never limit anything."""
        kind, colon, name = local.partition(":")
        if kind == "type" and colon:
            limit_names.check_type(local, name, await self._types(connection))
        elif kind == "object" and colon:
            there = {c.name for c in await connections.of_project(connection, project.id)} | {"lake"}
            limit_names.check_connection(local, ObjectRef.parse(name).connection, there)
        elif kind == "configuration" and colon:
            number = int(name.partition("/")[0])
            if await configurations.get(connection, project.id, number) is None:
                raise limit_names.there_is_none(local, f"configuration {number}")
        elif kind == "children" and colon:
            if await job_views.project_of(connection, int(name)) != project.id:
                raise limit_names.there_is_none(local, f"job {name}")
        else:
            held = await _held(connection)
            there = {*await limits.capacities(connection, project.name), *held.resources()}
            own = qualify(project.name, "project")
            known = {local_name(n) for n in there if n.startswith(f"{own}/")}
            limit_names.check_free(local, known, await self._types(connection))

    async def _refuse_slip_of_table(self, project: StoredProject, local: str) -> None:
        """Raises InvalidInput where there is no such table, and one of nearly that name. A limit may come first."""
        from jobdeck.connectors.lake import catalog

        ref = ObjectRef.parse(local.removeprefix("object:"))
        environment = await self._environments.of(project.name)
        near = None
        with suppress(JobdeckError, TimeoutError):  # a storage that is away keeps nobody from setting a limit
            async with asyncio.timeout(PATIENCE):
                near = await asyncio.to_thread(catalog.meant, environment, ref)
        if near is not None:
            raise limit_names.slip_of(f"object:{near}", f"There is no table '{ref}'")


async def _held(connection: Connection) -> Held:
    """What live leases hold, as the scheduler sees it."""
    held = Held()
    for job, (_, claims) in (await leases.held(connection)).items():
        held.take(job, claims)
    return held


def _listed(project: str) -> str:
    """Where the limits of a project (named as in claims), or those of all, are listed."""
    return f"/api/v1/projects/{project.partition(':')[2]}/limits" if project else "/api/v1/limits"


def _page(
    kind: str, names: Iterable[str], capacities: Mapping[str, int], held: Held, cursor: str | None, limit: int
) -> Page[Limit]:
    start = str(cursors.decode(cursor, kind, str)[0]) if cursor else ""
    behind = sorted((name for name in names if local_name(name) > start), key=local_name)
    items = [_limit(name, capacities.get(name), held.of(name)) for name in behind[:limit]]
    more = len(behind) > limit
    return Page[Limit](items=items, next=cursors.encode(kind, items[-1].resource) if more else None)


def _limit(name: str, capacity: int | None, holding: Holding) -> Limit:
    holders = sorted(holding.units)[:MAX_HOLDERS]
    return Limit(resource=local_name(name), capacity=capacity, used=holding.used, holders=holders)


def _check_capacity(capacity: int) -> None:
    if capacity > MAX_CAPACITY:
        raise InvalidInput(f"A capacity is at most {MAX_CAPACITY}.", field="capacity")
