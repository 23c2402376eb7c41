"""Job types and the JSON schemas of their parameters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import CallerDep, PagingDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.admin.types import Types
from jobdeck.wire.admin import TypeInfo
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/types", tags=["types"])


@router.get("", summary="List job types")
async def list_types(services: ServicesDep, caller: CallerDep, paging: PagingDep) -> Page[TypeInfo]:
    """The types that can be run here, by name."""
    return services.of(Types).page(caller, paging.cursor, paging.limit)


@router.get("/{type}", summary="Show a job type")
async def show_type(
    services: ServicesDep, caller: CallerDep, type: Annotated[str, Path(max_length=200, examples=["sleep"])]
) -> TypeInfo:
    """What it does and which parameters it takes."""
    return services.of(Types).get(caller, type)
