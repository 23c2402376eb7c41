"""Paused scopes: hold back the work of the whole installation, of a project or of a job type."""

from __future__ import annotations

from contextlib import suppress

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import InvalidInput, NotFound
from jobdeck.services.admin.limit_names import nearest
from jobdeck.services.core import OfCore
from jobdeck.store import pauses
from jobdeck.store.pauses import Pause
from jobdeck.store.views import Reader
from jobdeck.wire.base import Page, instant
from jobdeck.wire.pauses import PausedScope

_ALL = ("all", "everything", "*")
"""What people write for the whole installation."""


class Pauses(OfCore):
    """The use cases of paused scopes."""

    async def page(self, caller: Caller) -> Page[PausedScope]:
        """The scopes that are paused and that the caller may see."""
        caller.require(Permission.PROJECT_READ)
        async with self._core.database.read() as connection:
            found = await pauses.all_pauses(connection)
        visible = (p for p in found.values() if caller.project is None or _is_common(p) or _is_of(p, caller.project))
        return Page[PausedScope](items=[_view(p) for p in visible])

    async def get(self, caller: Caller, scope: str) -> PausedScope:
        """Why and by whom a scope is paused; raises NotFound when it is not."""
        caller.require(Permission.PROJECT_READ)
        async with self._core.database.read() as connection:
            await self._resolve(connection, caller, scope)
            found = (await pauses.all_pauses(connection)).get(scope)
        if found is None:
            raise _not_paused(scope)
        return _view(found)

    async def put(self, caller: Caller, scope: str, reason: str | None) -> PausedScope:
        """Pause a scope: jobs that run go on, no more are started."""
        project_id = await self._require(caller, scope)
        return _view(
            await self._core.database.transact(lambda tx: pauses.put(tx, scope, caller.name, reason, project_id))
        )

    async def clear(self, caller: Caller, scope: str) -> None:
        """Let a scope go on; raises NotFound when it is not paused."""
        project_id = await self._require(caller, scope)
        if not await self._core.database.transact(lambda tx: pauses.clear(tx, scope, caller.name, project_id)):
            raise _not_paused(scope)

    async def _require(self, caller: Caller, scope: str) -> int | None:
        async with self._core.database.read() as connection:
            project_id = await self._resolve(connection, caller, scope)
        caller.require(Permission.INSTANCE_PAUSE if project_id is None else Permission.PROJECT_PAUSE)
        return project_id

    async def _resolve(self, connection: Reader, caller: Caller, scope: str) -> int | None:
        """The id of the project that `scope` is, None for the other scopes; raises InvalidInput, NotFound."""
        kind, _, name = scope.partition(":")
        if kind == "project":
            return (await visible_project(connection, caller, name, "scope")).id
        if kind == "type" and self._core.registry.find(name):
            return None
        if scope == "instance":
            return None
        raise InvalidInput(
            f"'{scope[:100]}' is not a scope that can be paused.",
            field="scope",
            hint=await self._meant(connection, caller, scope)
            or "Write instance, project:<name> or type:<an installed job type>.",
        )

    async def _meant(self, connection: Reader, caller: Caller, scope: str) -> str | None:
        """The question whether a scope like it was meant; the name of a project or type alone means that one."""
        types = [registered.name for registered in self._core.registry]
        kind, colon, name = scope.partition(":")
        if not colon and scope in _ALL:
            return "Did you mean 'instance'?"
        word = name if colon and nearest(kind, ["project"]) else scope
        with suppress(NotFound):
            return f"Did you mean 'project:{(await visible_project(connection, caller, word, 'scope')).name}'?"
        alone = None if colon else nearest(scope, types, "type:")
        return nearest(scope, ["instance", *(f"type:{type_}" for type_ in types)]) or alone


def _is_common(pause: Pause) -> bool:
    return not pause.scope.scope.startswith("project:")


def _is_of(pause: Pause, project: str) -> bool:
    return pause.scope.scope == f"project:{project}"


def _not_paused(scope: str) -> NotFound:
    return NotFound(f"'{scope[:100]}' is not paused.", field="scope", hint="GET /api/v1/pauses lists what is.")


def _view(pause: Pause) -> PausedScope:
    return PausedScope(scope=pause.scope.scope, by=pause.scope.by, reason=pause.scope.reason, at=instant(pause.at))
