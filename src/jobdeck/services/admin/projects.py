"""Projects: list, show, make."""

from __future__ import annotations

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.store import projects
from jobdeck.store.sql.database import Tx
from jobdeck.wire.admin import Project, ProjectChange, ProjectRequest
from jobdeck.wire.base import Page, instant


class Projects(OfCore):
    """The use cases of projects."""

    async def page(self, caller: Caller, cursor: str | None, limit: int) -> Page[Project]:
        """The projects that the caller may see, by name."""
        caller.require(Permission.PROJECT_READ)
        start = str(cursors.decode(cursor, "projects", str)[0]) if cursor else ""
        async with self._core.database.read() as connection:
            found = [p for p in await projects.all_projects(connection) if caller.sees(p.id) and p.name > start]
        last = cursors.following("projects", found, limit, lambda one: one.name)
        return Page[Project](items=[_view(p) for p in found[:limit]], next=last)

    async def get(self, caller: Caller, name: str) -> Project:
        caller.require(Permission.PROJECT_READ)
        async with self._core.database.read() as connection:
            return _view(await visible_project(connection, caller, name))

    async def create(self, caller: Caller, asked: ProjectRequest) -> Project:
        """A new project; raises Conflict when the name is taken."""
        caller.require(Permission.PROJECT_CREATE)
        title = asked.title or asked.name
        return _view(
            await self._core.database.transact(
                lambda tx: projects.create(tx, asked.name, title, asked.weight, caller.name)
            )
        )

    async def change(self, caller: Caller, name: str, asked: ProjectChange) -> Project:
        """The project as it is to be; its weight counts from the next decision of the scheduler on."""
        async with self._core.database.read() as connection:
            found = await visible_project(connection, caller, name)
        caller.require(Permission.PROJECT_CHANGE)

        async def work(tx: Tx) -> projects.StoredProject:
            present = await projects.by_id(tx.connection, found.id) or found
            title = present.title if asked.title is None else asked.title
            weight = present.weight if asked.weight is None else asked.weight
            if (title, weight) == (present.title, present.weight):
                return present
            return await projects.change(tx, present, title, weight, caller.name)

        return _view(await self._core.database.transact(work))


def _view(project: projects.StoredProject) -> Project:
    return Project(
        name=project.name, title=project.title, weight=project.weight, created_at=instant(project.created_at)
    )
