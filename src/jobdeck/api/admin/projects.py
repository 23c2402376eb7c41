"""Projects."""

from __future__ import annotations

from fastapi import APIRouter, Response

from jobdeck.api.http.depends import CallerDep, PagingDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals
from jobdeck.services.admin.projects import Projects
from jobdeck.wire.admin import Project, ProjectChange, ProjectRequest
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/projects", tags=["projects"])


@router.get("", summary="List projects")
async def list_projects(services: ServicesDep, caller: CallerDep, paging: PagingDep) -> Page[Project]:
    """The projects that this token may see, by name."""
    return await services.of(Projects).page(caller, paging.cursor, paging.limit)


@router.post("", status_code=201, responses=refusals(conflict="The name is taken."), summary="Make a project")
async def create_project(services: ServicesDep, caller: CallerDep, body: ProjectRequest, response: Response) -> Project:
    """A room of its own for jobs, objects, files, connections and limits."""
    project = await services.of(Projects).create(caller, body)
    response.headers["Location"] = f"{PREFIX}/projects/{project.name}"
    return project


@router.get("/{project}", summary="Show a project")
async def show_project(services: ServicesDep, caller: CallerDep, project: ProjectPath) -> Project:
    """One project."""
    return await services.of(Projects).get(caller, project)


@router.patch("/{project}", summary="Change a project's title or weight")
async def change_project(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, body: ProjectChange
) -> Project:
    """Of the workers each project gets a part by its weight."""
    return await services.of(Projects).change(caller, project, body)
