"""Connections of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import CallerDep, Force, PagingDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals, silent
from jobdeck.services.data.connection_tests import TestableConnections
from jobdeck.wire.admin import Connection, ConnectionChange, ConnectionRequest, ConnectionTest
from jobdeck.wire.base import Page

NamePath = Annotated[str, Path(max_length=200)]
router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/connections", tags=["connections"])


@router.get("", summary="List connections")
async def list_connections(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, paging: PagingDep
) -> Page[Connection]:
    """The systems that the project's jobs can read from and write to, by name, their secrets masked."""
    return await services.of(TestableConnections).page(caller, project, paging.cursor, paging.limit)


@router.post("", status_code=201, responses=refusals(conflict="The name is taken."), summary="Make a connection")
async def create_connection(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, body: ConnectionRequest
) -> Connection:
    """`secrets` are kept encrypted, given to the tasks of the project's jobs among the options, and never shown."""
    return await services.of(TestableConnections).create(caller, project, body)


@router.get("/{name}", summary="Show a connection")
async def show_connection(services: ServicesDep, caller: CallerDep, project: ProjectPath, name: NamePath) -> Connection:
    """Its options, and which secrets it has."""
    return await services.of(TestableConnections).get(caller, project, name)


@router.patch("/{name}", responses=refusals(conflict="It is always there."), summary="Change a connection")
async def change_connection(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, name: NamePath, body: ConnectionChange
) -> Connection:
    """What is left out stays. Where the address changes, its secrets have to be given again."""
    return await services.of(TestableConnections).change(caller, project, name, body)


@router.post("/{name}/test", responses=refusals(conflict="There is nothing to test."), summary="Test a connection")
async def test_connection(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, name: NamePath
) -> ConnectionTest:
    """Ask the place that it leads to for something small, within 15 s."""
    return await services.of(TestableConnections).test(caller, project, name)


@router.delete(
    "/{name}",
    summary="Delete a connection",
    **silent(conflict="It is always there; or jobs that have not ended, or configurations, name it."),
)
async def delete_connection(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, name: NamePath, force: Force = False
) -> None:
    """With its secrets. What is in the system that it leads to stays there."""
    await services.of(TestableConnections).delete(caller, project, name, force=force)
