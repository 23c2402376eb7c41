"""Saved views of the page of jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from jobdeck.api.http.depends import CallerDep, IdPath, PagingDep, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals, silent
from jobdeck.wire.base import Page
from jobdeck.wire.saved_views import SavedView, SavedViewRequest

router = APIRouter(prefix=f"{PREFIX}/views", tags=["views"])

_TAKEN = refusals(conflict="The name is taken, there are too many views, or only who made it can share it.")
_SHARED_IN = refusals(missing="There is no such project, or it is not visible to this token.")


@router.get("", summary="List saved views")
async def list_views(
    services: ServicesDep,
    caller: CallerDep,
    paging: PagingDep,
    project: Annotated[
        str | None, Query(max_length=200, description="Of the shared ones only those of this project.")
    ] = None,
) -> Page[SavedView]:
    """One's own, and those that are shared; oldest first."""
    return await services.saved_views.page(caller, project, paging.cursor, paging.limit)


@router.post("", status_code=201, responses={**_TAKEN, **_SHARED_IN}, summary="Save a view")
async def create_view(
    services: ServicesDep, caller: CallerDep, body: SavedViewRequest, response: Response
) -> SavedView:
    """One's own, or shared with all in a project."""
    saved = await services.saved_views.create(caller, body)
    response.headers["Location"] = f"{PREFIX}/views/{saved.id}"
    return saved


@router.get("/{id}", summary="Show a saved view")
async def show_view(services: ServicesDep, caller: CallerDep, id: IdPath) -> SavedView:
    """One view."""
    return await services.saved_views.get(caller, id)


@router.put("/{id}", responses=_TAKEN, summary="Change a saved view")
async def save_view(services: ServicesDep, caller: CallerDep, id: IdPath, body: SavedViewRequest) -> SavedView:
    """All of it is exchanged."""
    return await services.saved_views.save(caller, id, body)


@router.delete("/{id}", summary="Delete a saved view", **silent())
async def delete_view(services: ServicesDep, caller: CallerDep, id: IdPath) -> None:
    """A shared one is gone for all."""
    await services.saved_views.delete(caller, id)
