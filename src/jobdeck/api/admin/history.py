"""What was done to all but jobs, and which jobs were deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from jobdeck.api.http.depends import CallerDep, ServicesDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.admin.history import History, HistoryQuery
from jobdeck.wire.base import Page
from jobdeck.wire.events import Event

router = APIRouter(prefix=f"{PREFIX}/events", tags=["events"])


@router.get("/history", summary="List what was done")
async def list_history(
    services: ServicesDep, caller: CallerDep, query: Annotated[HistoryQuery, Query()]
) -> Page[Event]:
    """Events that are not a job's, and those that tell of a deleted one, newest first. For administrators."""
    return await services.of(History).page(caller, query)
