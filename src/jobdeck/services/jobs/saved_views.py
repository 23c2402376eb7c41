"""Saved views: everybody keeps their own; those who may operate a project's jobs keep the ones shared in it."""

from __future__ import annotations

from jobdeck.access.caller import Caller, Permission, visible_project
from jobdeck.core.errors import Conflict, NotFound
from jobdeck.services import cursors
from jobdeck.services.core import OfCore
from jobdeck.store.jobs import saved_views
from jobdeck.store.jobs.saved_views import StoredView, ViewContent
from jobdeck.store.projects import StoredProject
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.wire.base import Page, instant
from jobdeck.wire.saved_views import SavedView, SavedViewRequest


class SavedViews(OfCore):
    """The use cases of saved views."""

    async def page(
        self, caller: Caller, project_name: str | None = None, cursor: str | None = None, limit: int = 500
    ) -> Page[SavedView]:
        """One's own views, and those shared in the projects that one sees, or in the one named; oldest first."""
        caller.require(Permission.JOB_READ)
        after = cursors.number(cursor, "views") or 0
        async with self._core.database.read() as connection:
            project = await visible_project(connection, caller, project_name) if project_name is not None else None
            wanted = project.id if project is not None else caller.project_id
            shared = None if wanted is None else (wanted,)
            found = await saved_views.page(connection, caller.principal_id, shared, after, limit + 1)
        last = cursors.following("views", found, limit, lambda one: one.id)
        return Page[SavedView](items=[_view(v, caller) for v in found[:limit]], next=last)

    async def get(self, caller: Caller, view_id: int) -> SavedView:
        """One view; raises NotFound, also for another person's own."""
        return _view(await self._visible(caller, view_id), caller)

    async def create(self, caller: Caller, asked: SavedViewRequest) -> SavedView:
        """Save a view; raises Conflict when the name is taken."""
        content, project = await self._content(caller, asked)

        async def work(tx: Tx) -> int:
            made = await saved_views.create(tx, content, caller.principal_id)
            if project is not None:
                tx.emit(NewEvent("view.created", project.id, None, caller.name, {"view": made, "name": asked.name}))
            return made

        return await self.get(caller, await self._core.database.transact(work))

    async def save(self, caller: Caller, view_id: int, asked: SavedViewRequest) -> SavedView:
        """Exchange what is saved. Who made a view may also share it, or make it their own again; raises Conflict where
        somebody else asks for that."""
        stored = await self._editable(caller, view_id)
        content, project = await self._content(caller, asked)
        if content.project_id != stored.content.project_id and stored.principal_id != caller.principal_id:
            raise Conflict(
                f"Only {stored.created_by or 'its owner'} can share this view elsewhere, or no longer.",
                field="project",
                hint="Save a view of your own instead.",
            )

        async def work(tx: Tx) -> None:
            if not await saved_views.save(tx, view_id, content):
                raise _missing(view_id)
            if project is not None:
                tx.emit(NewEvent("view.saved", project.id, None, caller.name, {"view": view_id, "name": asked.name}))

        await self._core.database.transact(work)
        return await self.get(caller, view_id)

    async def delete(self, caller: Caller, view_id: int) -> None:
        """Remove it; raises NotFound."""
        stored = await self._editable(caller, view_id)
        shared_in = stored.content.project_id

        async def work(tx: Tx) -> None:
            if not await saved_views.remove(tx, view_id):
                raise _missing(view_id)
            if shared_in is not None:
                data = {"view": view_id, "name": stored.content.name}
                tx.emit(NewEvent("view.deleted", shared_in, None, caller.name, data))

        await self._core.database.transact(work)

    async def _content(self, caller: Caller, asked: SavedViewRequest) -> tuple[ViewContent, StoredProject | None]:
        """What is to be saved, and the project in which it is to be shared; raises Forbidden, NotFound."""
        caller.require(Permission.JOB_READ)
        project = None
        if asked.project is not None:
            async with self._core.database.read() as connection:
                project = await visible_project(connection, caller, asked.project)
            caller.require(Permission.JOB_OPERATE)
        columns = None if asked.columns is None else tuple(dict.fromkeys(asked.columns))
        return ViewContent(asked.name, asked.query, columns, asked.density, project.id if project else None), project

    async def _visible(self, caller: Caller, view_id: int) -> StoredView:
        caller.require(Permission.JOB_READ)
        async with self._core.database.read() as connection:
            found = await saved_views.get(connection, view_id)
        if found is None or not _sees(caller, found):
            raise _missing(view_id)
        return found

    async def _editable(self, caller: Caller, view_id: int) -> StoredView:
        found = await self._visible(caller, view_id)
        if found.content.project_id is not None:
            caller.require(Permission.JOB_OPERATE)
        return found


def _sees(caller: Caller, view: StoredView) -> bool:
    if view.content.project_id is None:
        return view.principal_id == caller.principal_id
    return caller.sees(view.content.project_id)


def _view(stored: StoredView, caller: Caller) -> SavedView:
    content = stored.content
    shared = content.project_id is not None
    return SavedView(
        id=stored.id,
        name=content.name,
        query=content.query,
        columns=None if content.columns is None else list(content.columns),
        density="compact" if content.density == "compact" else "comfortable" if content.density else None,
        project=stored.project,
        shared=shared,
        created_by=stored.created_by,
        mine=stored.principal_id == caller.principal_id,
        editable=not shared or caller.may(Permission.JOB_OPERATE),
        created_at=instant(stored.created_at),
        updated_at=instant(stored.updated_at),
    )


def _missing(view_id: int) -> NotFound:
    return NotFound(f"There is no view {view_id}.", field="id", hint="GET /api/v1/views lists those there are.")
