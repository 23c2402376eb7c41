"""Rows that a job did not take."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from jobdeck.api.http.depends import JobDep, PagingDep
from jobdeck.api.http.described import PREFIX
from jobdeck.services.jobs.output.rejects import RejectContent
from jobdeck.wire.base import Page
from jobdeck.wire.rejects import RejectedRow, RejectFile

router = APIRouter(prefix=f"{PREFIX}/jobs/{{id}}/rejects", tags=["one job"])

AttemptNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the present attempt.")]
RejectName = Annotated[str, Path(max_length=100, description="A `name` of the list.")]
_LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        "description": "A JSON object in each line.",
    }
}


@router.get("", summary="List a job's reject files")
async def reject_files(
    about: JobDep,
    paging: PagingDep,
    attempt: AttemptNumber = None,
) -> Page[RejectFile]:
    """The files with rows that the job did not take, in the order of its tasks: rows, bytes, the files they come from.

    A page has a hundred of them at most."""
    return await about.services.job_rejects.page(about.caller, about.id, attempt, paging.cursor, paging.limit)


@router.get("/content", summary="Download all rejected rows", response_class=StreamingResponse, responses=_LINES)
async def all_rejects(about: JobDep, attempt: AttemptNumber = None) -> StreamingResponse:
    """The rows of all reject files as JSON Lines."""
    return _stream(await about.services.job_rejects.everything(about.caller, about.id, attempt))


@router.get("/{name}/rows", summary="Look at rejected rows")
async def rejected_rows(
    about: JobDep,
    paging: PagingDep,
    name: RejectName,
    attempt: AttemptNumber = None,
) -> Page[RejectedRow]:
    """Rows of one reject file: where each was, what does not fit, and why."""
    return await about.services.job_rejects.rows(about.caller, about.id, name, attempt, paging.cursor, paging.limit)


@router.get("/{name}/content", summary="Download a reject file", response_class=StreamingResponse, responses=_LINES)
async def reject_content(about: JobDep, name: RejectName, attempt: AttemptNumber = None) -> StreamingResponse:
    """One reject file as JSON Lines."""
    return _stream(await about.services.job_rejects.content(about.caller, about.id, name, attempt))


def _stream(content: RejectContent) -> StreamingResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{content.name}"',
        "Content-Length": str(content.size),
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(content.pieces, headers=headers, media_type="application/x-ndjson")
