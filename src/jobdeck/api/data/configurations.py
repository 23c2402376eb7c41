"""Configurations: saved, versioned parameters of a job type."""

from __future__ import annotations

from fastapi import APIRouter, Response

from jobdeck.api.http.depends import CallerDep, IdPath, PagingDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals, silent
from jobdeck.services.data.configurations import Configurations
from jobdeck.wire.admin import Configuration, ConfigurationRequest
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/configurations", tags=["configurations"])

_TAKEN = refusals(conflict="The name is taken.")


@router.get("", summary="List configurations")
async def list_configurations(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, paging: PagingDep
) -> Page[Configuration]:
    """The configurations of a project, oldest first."""
    return await services.of(Configurations).page(caller, project, paging.cursor, paging.limit)


@router.post("", status_code=201, responses=_TAKEN, summary="Save a configuration")
async def create_configuration(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, body: ConfigurationRequest, response: Response
) -> Configuration:
    """Version 1."""
    saved = await services.of(Configurations).create(caller, project, body)
    response.headers["Location"] = f"{PREFIX}/projects/{project}/configurations/{saved.id}"
    return saved


@router.get("/{id}", summary="Show a configuration")
async def show_configuration(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, id: IdPath
) -> Configuration:
    """Its present version."""
    return await services.of(Configurations).get(caller, project, id)


@router.put("/{id}", responses=_TAKEN, summary="Save the next version of a configuration")
async def save_configuration(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, id: IdPath, body: ConfigurationRequest
) -> Configuration:
    """Jobs that were submitted keep the parameters of their version."""
    return await services.of(Configurations).save(caller, project, id, body)


@router.delete("/{id}", summary="Delete a configuration", **silent(conflict="Jobs remember it."))
async def delete_configuration(services: ServicesDep, caller: CallerDep, project: ProjectPath, id: IdPath) -> None:
    """Only one that no job ran."""
    await services.of(Configurations).delete(caller, project, id)
