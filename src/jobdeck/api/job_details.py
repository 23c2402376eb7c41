"""What is recorded about one job: steps, attempts, events, logs, lineage."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from jobdeck.api.depends import PAGE, CallerDep, Cursor, IdPath, Limit, ServicesDep
from jobdeck.api.described import PREFIX
from jobdeck.services.job_logs import LogQuery
from jobdeck.wire.base import MAX_ID, Page
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt, Lineage
from jobdeck.wire.steps import LogLine, Step

router = APIRouter(prefix=f"{PREFIX}/jobs/{{id}}", tags=["one job"])

AttemptNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the present attempt.")]
Search = Annotated[str | None, Query(min_length=1, max_length=200, description="Only lines with this text.")]
LogCursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]


@router.get("/steps", summary="Show a job's steps and tasks")
async def steps(
    services: ServicesDep,
    caller: CallerDep,
    id: IdPath,
    attempt: AttemptNumber = None,
    limit: Limit = PAGE,  # noqa: ARG001  (all lists take it; steps come as one page)
    cursor: Cursor = None,  # noqa: ARG001
) -> Page[Step]:
    """The steps that have begun, each with its first thousand tasks; `task_count` says how many it has."""
    return await services.job_details.steps(caller, id, attempt)


@router.get("/attempts", summary="List a job's attempts")
async def attempts(
    services: ServicesDep,
    caller: CallerDep,
    id: IdPath,
    limit: Limit = PAGE,  # noqa: ARG001
    cursor: Cursor = None,  # noqa: ARG001
) -> Page[Attempt]:
    """The runs of the job from its first step, first to last."""
    return await services.job_details.attempts(caller, id)


@router.get("/events", summary="List a job's events")
async def events(
    services: ServicesDep,
    caller: CallerDep,
    id: IdPath,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="`next` of the page before, or an event's id.")] = 0,
    limit: Limit = PAGE,
) -> Page[Event]:
    """What happened to the job, oldest first."""
    return await services.job_details.events(caller, id, after, limit)


@router.get("/logs", summary="Read a job's log")
async def logs(
    services: ServicesDep,
    caller: CallerDep,
    id: IdPath,
    attempt: AttemptNumber = None,
    after: LogCursor = None,
    tail: Annotated[int | None, Query(ge=1, le=1000, description="Begin with the last so many lines.")] = None,
    q: Search = None,
    limit: Limit = PAGE,
) -> Page[LogLine]:
    """Lines, oldest first. `next` stays set while more may come, so that a log can be followed with `after`."""
    return await services.job_logs.page(caller, id, LogQuery(attempt, after, tail, q, limit))


@router.get(
    "/logs/download",
    summary="Download a job's log",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The log as text."}},
)
async def download_log(
    services: ServicesDep, caller: CallerDep, id: IdPath, attempt: AttemptNumber = None
) -> StreamingResponse:
    """The whole log of an attempt as text."""
    pieces = await services.job_logs.text(caller, id, attempt)
    headers = {"Content-Disposition": f'attachment; filename="job-{id}.log"'}
    return StreamingResponse(pieces, headers=headers, media_type="text/plain; charset=utf-8")


@router.get("/lineage", summary="Show what a job read and wrote")
async def lineage(services: ServicesDep, caller: CallerDep, id: IdPath) -> Lineage:
    """Objects and files with versions, and the jobs before and after this one through them."""
    return await services.job_details.lineage(caller, id)
