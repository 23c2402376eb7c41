"""Operations on selections of jobs: look first, then run exactly what was looked at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query

from jobdeck.api.http.depends import CallerDep, IdPath, PagingDep, ServicesDep
from jobdeck.api.http.described import PREFIX, refusals
from jobdeck.services.jobs.bulks import BulkAsked
from jobdeck.wire.base import Page
from jobdeck.wire.bulk import Bulk, BulkItem, BulkOutcome, BulkPlan, BulkRunRequest

router = APIRouter(prefix=f"{PREFIX}/bulk", tags=["bulk"])

_EXAMPLES = {
    "filter": {
        "summary": "Cancel all failed imports",
        "value": {"operation": "cancel", "select": {"filter": {"state": ["failed"], "type": ["import"]}}},
    },
    "ids": {"summary": "Pause two jobs", "value": {"operation": "pause", "select": {"ids": [1, 2]}, "reason": "lunch"}},
}
Everyone = Annotated[bool, Query(description="Also those of others; only for administrators.")]
_NO_SUCH_PROJECT = refusals(missing="The filter names a project that is not there or not visible to this token.")
_NOT_TO_BE_RUN = refusals(conflict="The plan has expired, was discarded, or is that of somebody else.")


@router.post("", status_code=201, responses=_NO_SUCH_PROJECT, summary="Preview an operation on many jobs")
async def preview_bulk(
    services: ServicesDep, caller: CallerDep, body: Annotated[BulkAsked, Body(openapi_examples=_EXAMPLES)]
) -> BulkPlan:
    """Name the jobs, once and for all, and say how many allow the operation and why the others do not.

    Nothing is done to them until the plan is run with its `token`, within 15 minutes."""
    return await services.bulks.preview(caller, body)


@router.get("", summary="List operations on many jobs")
async def list_bulks(
    services: ServicesDep, caller: CallerDep, paging: PagingDep, everyone: Everyone = False
) -> Page[Bulk]:
    """Those that were asked for by the one who asks now, newest first; with `everyone`, for administrators, all."""
    return await services.bulks.page(caller, paging.cursor, paging.limit, everyone=everyone)


@router.get("/{id}", summary="Show an operation on many jobs")
async def show_bulk(services: ServicesDep, caller: CallerDep, id: IdPath) -> Bulk:
    """How far it is, and why jobs were left out."""
    return await services.bulks.get(caller, id)


@router.post("/{id}/run", status_code=202, responses=_NOT_TO_BE_RUN, summary="Run an operation on many jobs")
async def run_bulk(services: ServicesDep, caller: CallerDep, id: IdPath, body: BulkRunRequest) -> Bulk:
    """Carry it out in the background, on the jobs of the preview and no others; each is checked again.

    The same request again changes nothing."""
    return await services.bulks.run(caller, id, body.token)


@router.post("/{id}/stop", status_code=202, summary="Stop an operation on many jobs")
async def stop_bulk(services: ServicesDep, caller: CallerDep, id: IdPath) -> Bulk:
    """No job is touched after the answer; what was done stays done. A plan cannot be run any more."""
    return await services.bulks.stop(caller, id)


@router.get("/{id}/items", summary="List the jobs of an operation on many")
async def list_bulk_items(
    services: ServicesDep,
    caller: CallerDep,
    id: IdPath,
    paging: PagingDep,
    outcome: Annotated[BulkOutcome | None, Query(description="Only those of which this became.")] = None,
) -> Page[BulkItem]:
    """The jobs by id, and what became of each."""
    return await services.bulks.items(caller, id, outcome, paging.cursor, paging.limit)
