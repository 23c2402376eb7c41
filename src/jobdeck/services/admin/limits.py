"""Limits: how much of a resource jobs may hold, what they hold now, and which jobs do; of a project, or of all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.core.claims import Held, Holding, local_name, qualify
from jobdeck.core.errors import InvalidInput, NotFound
from jobdeck.core.refs import MalformedRef, ObjectRef
from jobdeck.core.registry import TypeRegistry
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.store import limits
from jobdeck.store.limits import MAX_CAPACITY
from jobdeck.store.running import leases
from jobdeck.store.sql.database import Connection, Tx
from jobdeck.wire.admin import Limit
from jobdeck.wire.base import Page

MAX_RESOURCE = 1100
MAX_HOLDERS = 1000
"""Jobs named as holders of one resource, at most; `used` counts all."""
_COMMON = "instance, type:<type>"
_OWN = "project, type:<type>, object:<ref>, children:<job>, configuration:<id>, or any name that job types claim"
_BY_ID = re.compile(r"children:[0-9]+|configuration:[0-9]+(/token:[0-9]+)?")


class Limits:
    """The use cases of limits. A project's resources carry local names: `type:import`, `object:lake/b/t`, …"""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Limit]:
        """Every resource of the project that has a limit or is held now, by name."""
        caller.require(Permission.LIMIT_READ)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
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

    async def put(self, caller: Caller, project_name: str, resource: str, capacity: int) -> Limit:
        """Set the capacity of a resource of the project."""
        _check_capacity(capacity)
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
        local = _own(resource, project.name)
        caller.require(Permission.LIMIT_SET)
        return await self._put(caller, qualify(project.name, local), project.id, capacity)

    async def put_common(self, caller: Caller, resource: str, capacity: int) -> Limit:
        """Set the capacity of a resource that all projects share."""
        _check_capacity(capacity)
        caller.require(Permission.INSTANCE_LIMIT_SET)
        _check_common(resource, self._core.registry)
        return await self._put(caller, resource, None, capacity)

    async def clear(self, caller: Caller, project_name: str, resource: str) -> None:
        """Remove the limit of a resource; raises NotFound when none was set."""
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
        _check_name(resource, _OWN)
        caller.require(Permission.LIMIT_SET)
        await self._clear(caller, qualify(project.name, resource), project.id)

    async def clear_common(self, caller: Caller, resource: str) -> None:
        """Remove a limit of all projects; raises NotFound when none was set."""
        caller.require(Permission.INSTANCE_LIMIT_SET)
        _check_name(resource, _COMMON)
        if resource.startswith("project:"):
            raise _bad_name(resource, _COMMON)
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
            raise NotFound(f"No limit is set for '{local_name(name)}'.", field="resource")


async def _held(connection: Connection) -> Held:
    """What live leases hold, as the scheduler sees it."""
    held = Held()
    for job, (_, claims) in (await leases.held(connection)).items():
        held.take(job, claims)
    return held


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


def _check_name(resource: str, choices: str) -> None:
    if not resource.strip() or len(resource) > MAX_RESOURCE or not resource.isprintable():
        raise _bad_name(resource, choices)


def _own(resource: str, project: str) -> str:
    """The name as claims have it. One that no job of the project can ever claim is a slip, and is refused."""
    _check_name(resource, _OWN)
    kind, colon, name = resource.partition(":")
    if resource == "instance":
        raise InvalidInput(
            "'instance' is no resource of a project.",
            field="resource",
            hint="PUT /api/v1/limits/instance limits all projects together.",
        )
    if kind == "project" and colon and name != project:
        raise InvalidInput(
            f"'{resource[:100]}' is no resource of the project '{project}'.",
            field="resource",
            hint=f"Write project, or set it at /api/v1/projects/{name[:63]}/limits/project.",
        )
    if kind in ("children", "configuration") and colon and not _BY_ID.fullmatch(resource):
        raise InvalidInput(f"'{resource[:100]}': {kind}: is followed by an id, a number.", field="resource")
    if kind == "type" and colon and not name:
        raise _bad_name(resource, _OWN)
    return _object(resource, name) if kind == "object" and colon else resource


def _object(resource: str, name: str) -> str:
    try:
        return f"object:{ObjectRef.parse(name)}"
    except MalformedRef as error:
        raise InvalidInput(f"'{resource[:100]}': {error.message}", field="resource", hint=error.hint) from error


def _check_common(resource: str, registry: TypeRegistry) -> None:
    _check_name(resource, _COMMON)
    kind, colon, name = resource.partition(":")
    if resource != "instance" and not (kind == "type" and colon and registry.find(name)):
        raise InvalidInput(
            f"'{resource[:100]}' is no resource that all projects share.",
            field="resource",
            hint="Write instance or type:<an installed job type>; a project's are at /api/v1/projects/<name>/limits.",
        )


def _bad_name(resource: str, choices: str) -> InvalidInput:
    return InvalidInput(
        f"'{resource[:100]}' is not the name of a resource.", field="resource", hint=f"Write {choices}."
    )
