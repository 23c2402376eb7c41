"""Workers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from jobdeck.api.http.depends import PAGE, CallerDep, Cursor, Limit, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.wire.admin import Worker
from jobdeck.wire.base import Page

router = APIRouter(prefix=f"{PREFIX}/workers", tags=["workers"])


@router.get("", summary="List workers")
async def list_workers(
    services: ServicesDep, caller: CallerDep, limit: Limit = PAGE, cursor: Cursor = None
) -> Page[Worker]:
    """The processes that run jobs, and those that ended lately."""
    return await services.workers.page(caller, cursor, limit)


@router.post("/{id}/drain", summary="Drain a worker")
async def drain_worker(services: ServicesDep, caller: CallerDep, id: Annotated[str, Path(max_length=200)]) -> Worker:
    """It finishes what it has and takes nothing more."""
    return await services.workers.drain(caller, id)
