"""Workers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import CallerDep, PagingDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.admin.workers import Workers
from jobdeck.wire.admin import Worker
from jobdeck.wire.base import Page

Id = Annotated[
    str, Path(max_length=200, description="Its id, its name, or a beginning of one of them that no other worker has.")
]
router = APIRouter(prefix=f"{PREFIX}/workers", tags=["workers"])


@router.get("", summary="List workers")
async def list_workers(services: ServicesDep, caller: CallerDep, paging: PagingDep) -> Page[Worker]:
    """The processes that run jobs, and those that ended lately."""
    return await services.of(Workers).page(caller, paging.cursor, paging.limit)


@router.get("/{id}", summary="Show a worker")
async def get_worker(services: ServicesDep, caller: CallerDep, id: Id) -> Worker:
    """Its state, its places and the jobs it holds."""
    return await services.of(Workers).get(caller, id)


@router.post("/{id}/drain", summary="Drain a worker")
async def drain_worker(services: ServicesDep, caller: CallerDep, id: Id) -> Worker:
    """It finishes what it has and takes nothing more."""
    return await services.of(Workers).drain(caller, id)


@router.post("/{id}/undrain", summary="Let a drained worker take jobs again")
async def undrain_worker(services: ServicesDep, caller: CallerDep, id: Id) -> Worker:
    """It takes jobs again, at once."""
    return await services.of(Workers).undrain(caller, id)
