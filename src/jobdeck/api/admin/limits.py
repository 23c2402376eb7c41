"""Limits of a project's resources, and of those that all projects share."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import CallerDep, PagingDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, silent
from jobdeck.services.admin.limit_names import MAX_RESOURCE
from jobdeck.services.admin.limits import Limits
from jobdeck.wire.admin import Limit as LimitView
from jobdeck.wire.admin import LimitRequest
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/limits", tags=["limits"])
common_router = APIRouter(prefix=f"{PREFIX}/limits", tags=["limits"])

ResourcePath = Annotated[
    str,
    Path(max_length=MAX_RESOURCE, description="`project`, `type:<type>`, `object:<ref>`, …", examples=["type:import"]),
]
CommonPath = Annotated[
    str, Path(max_length=MAX_RESOURCE, description="`instance` or `type:<type>`.", examples=["type:import"])
]


@router.get("", summary="List limits")
async def list_limits(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, paging: PagingDep
) -> Page[LimitView]:
    """Every resource with a limit, and every one that is held now: how much, and by which jobs."""
    return await services.of(Limits).page(caller, project, paging.cursor, paging.limit)


@router.put("/{resource:path}", summary="Set a limit")
async def set_limit(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, resource: ResourcePath, body: LimitRequest
) -> LimitView:
    """Jobs that hold more than the new limit go on; no others start until it fits."""
    return await services.of(Limits).put(caller, project, resource, body.capacity, as_written=body.as_written)


@router.delete("/{resource:path}", summary="Remove a limit", **silent())
async def clear_limit(services: ServicesDep, caller: CallerDep, project: ProjectPath, resource: ResourcePath) -> None:
    """Back to the default: the installation's for `project`, none for the others."""
    await services.of(Limits).clear(caller, project, resource)


@common_router.get("", summary="List limits of all projects together")
async def list_common_limits(services: ServicesDep, caller: CallerDep, paging: PagingDep) -> Page[LimitView]:
    """`instance` and job types over all projects, where they have a limit or are held; for tokens of all projects."""
    return await services.of(Limits).common_page(caller, paging.cursor, paging.limit)


@common_router.put("/{resource:path}", summary="Set a limit of all projects together")
async def set_common_limit(
    services: ServicesDep, caller: CallerDep, resource: CommonPath, body: LimitRequest
) -> LimitView:
    """Holds beside the limits of each project."""
    return await services.of(Limits).put_common(caller, resource, body.capacity)


@common_router.delete(
    "/{resource:path}", summary="Remove a limit of all projects together", **silent(missing="No limit is set for it.")
)
async def clear_common_limit(services: ServicesDep, caller: CallerDep, resource: CommonPath) -> None:
    """The limits of each project hold on."""
    await services.of(Limits).clear_common(caller, resource)
