"""Connections of a project."""

from __future__ import annotations

from fastapi import APIRouter

from jobdeck.api.depends import PAGE, CallerDep, Cursor, Limit, ProjectPath, ServicesDep
from jobdeck.api.described import PREFIX
from jobdeck.wire.admin import Connection
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/connections", tags=["connections"])


@router.get("", summary="List connections")
async def list_connections(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, limit: Limit = PAGE, cursor: Cursor = None
) -> Page[Connection]:
    """The systems that the project's jobs can read from and write to, by name, without secrets."""
    return await services.connections.page(caller, project, cursor, limit)
