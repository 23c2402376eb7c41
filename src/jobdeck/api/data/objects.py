"""Tables and collections of a project: list, describe, look into, drop."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from jobdeck.api.http.depends import CallerDep, Cursor, PagingDep, ProjectPath, ServicesDep
from jobdeck.api.http.described import PREFIX, silent
from jobdeck.core.refs import MAX_REF
from jobdeck.services.data.objects import Objects
from jobdeck.wire.base import Digits, Page
from jobdeck.wire.objects import Rows, TableObject

router = APIRouter(prefix=f"{PREFIX}/projects/{{project}}/objects", tags=["objects"])

RefPath = Annotated[
    str,
    Path(
        max_length=MAX_REF,
        description="`<connection>/<path>`; the slashes stand as they are.",
        examples=["lake/in.shop/orders"],
    ),
]
Version = Annotated[
    Digits | None, Query(ge=0, le=2**63 - 1, description="A version of the object; default: the present one.")
]
RowLimit = Annotated[Digits, Query(ge=1, le=1000, description="Rows, at most.")]
SLASHES = 2
"""Slashes in the shortest name of an object: `<connection>/<bucket>/<table>`."""
ARROW_STREAM = "application/vnd.apache.arrow.stream"
_ARROW: dict[int | str, dict[str, Any]] = {
    200: {"content": {ARROW_STREAM: {"schema": {"type": "string", "format": "binary"}}}, "description": "The rows."}
}


@router.get("", summary="List objects")
async def list_objects(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, paging: PagingDep
) -> Page[TableObject]:
    """The tables of the project's lake, by name."""
    return await services.of(Objects).page(caller, project, paging.cursor, paging.limit)


@router.get("/{ref:path}/rows", summary="Look into an object")
async def rows(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    ref: RefPath,
    limit: RowLimit = 100,
    version: Version = None,
    cursor: Cursor = None,
) -> Rows | TableObject:
    """Some of its rows; `next` leads to those behind them, of the same version.

    (Where what stands before `rows` is too short for an object, `rows` is the object's name.)"""
    if ref.count("/") < SLASHES:
        return await services.of(Objects).get(caller, project, f"{ref}/rows", version)
    return await services.of(Objects).rows(caller, project, ref, limit, version, cursor)


@router.get("/{ref:path}/arrow", summary="Read an object", response_class=StreamingResponse, responses=_ARROW)
async def arrow(
    services: ServicesDep,
    caller: CallerDep,
    project: ProjectPath,
    ref: RefPath,
    version: Version = None,
    column: Annotated[list[str], Query(max_length=1000, description="Only these columns; may be repeated.")] = [],  # noqa: B006
) -> Response:
    """All its rows as an Arrow stream, of one version.

    (Where what stands before `arrow` is too short for an object, `arrow` is the object's name.)"""
    if ref.count("/") < SLASHES:
        found = await services.of(Objects).get(caller, project, f"{ref}/arrow", version)
        return Response(found.model_dump_json(), media_type="application/json")
    pieces = await services.of(Objects).arrow(caller, project, ref, version, column)
    return StreamingResponse(pieces, media_type=ARROW_STREAM)


@router.get("/{ref:path}", summary="Show an object")
async def show_object(
    services: ServicesDep, caller: CallerDep, project: ProjectPath, ref: RefPath, version: Version = None
) -> TableObject:
    """Its columns, rows, bytes and versions."""
    return await services.of(Objects).get(caller, project, ref, version)


@router.delete("/{ref:path}", summary="Drop an object", **silent(conflict="A job holds the object."))
async def drop_object(services: ServicesDep, caller: CallerDep, project: ProjectPath, ref: RefPath) -> None:
    """Remove the table with all its versions; not while a job holds it."""
    await services.of(Objects).drop(caller, project, ref)
