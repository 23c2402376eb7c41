"""Connections: the systems that a project's jobs read from and write to."""

from __future__ import annotations

from jobdeck.access.caller import Caller
from jobdeck.access.roles import Permission
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.store import connections
from jobdeck.wire.admin import Connection
from jobdeck.wire.base import Page, instant

LAKE = Connection(name="lake", kind="lake", description="Versioned tables in the project's own storage; always there.")


class Connections:
    """The use cases of connections."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def page(self, caller: Caller, project_name: str, cursor: str | None, limit: int) -> Page[Connection]:
        """The connections of a project, by name, without their secrets."""
        caller.require(Permission.CONNECTION_READ)
        start = str(cursors.decode(cursor, "connections", str)[0]) if cursor else ""
        async with self._core.database.read() as connection:
            project = await scope.project(connection, caller, project_name)
            stored = await connections.of_project(connection, project.id)
        found = {LAKE.name: LAKE} | {c.name: _view(c) for c in stored}
        names = sorted(name for name in found if name > start)
        last = cursors.encode("connections", names[limit - 1]) if len(names) > limit else None
        return Page[Connection](items=[found[name] for name in names[:limit]], next=last)


def _view(stored: connections.Connection) -> Connection:
    return Connection(name=stored.name, kind=stored.kind, options=stored.options, created_at=instant(stored.created_at))
