"""The tab of a job's log, and the lines that its script asks for."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response

from jobdeck.api.http.depends import PresentDep
from jobdeck.services.jobs.output.log_window import LogFilter, LogPlace, LogSlice, NumberedLine
from jobdeck.web.page import PageDep
from jobdeck.web.pages.job.head import show
from jobdeck.web.pages.job.ids import JobPath
from jobdeck.wire.base import Digits

router = APIRouter(include_in_schema=False)

Attempt = Annotated[Digits | None, Query(ge=1, le=2**31 - 1)]
Cursor = Annotated[str | None, Query(max_length=100)]
Levels = Annotated[list[str] | None, Query(max_length=10)]
StepName = Annotated[str | None, Query(max_length=200)]
TaskIndex = Annotated[Digits | None, Query(ge=0, le=2**31 - 1)]
Words = Annotated[str | None, Query(max_length=200)]
_COUNTED = 60_000
"""Lines that one answer counts, at most; it looks through about as many."""
LEVELS = ("debug", "info", "warning", "error", "stdout", "stderr")


@router.get("/jobs/{job_id:id}/logs")
async def logs(
    page: PageDep,
    job_id: JobPath,
    attempt: Attempt = None,
    level: Annotated[str | None, Query(max_length=20)] = None,
    step: StepName = None,
    task: TaskIndex = None,
    q: Words = None,
) -> Response:
    """The frame of the log; its script fills it."""
    job = await page.services.jobs.get(page.caller, job_id)
    chosen = attempt or job.attempt
    known = await page.services.job_details.steps(page.caller, job_id, chosen, tasks=0)
    return await show(
        page, "job/logs/page.html", job_id, "logs",
        job=job,
        attempt=chosen,
        level=level,
        step=step,
        task=task,
        q=q or "",
        steps=[s.name for s in known.items],
        levels=LEVELS,
    )  # fmt: skip


@router.get("/jobs/{job_id:id}/logs/lines")
async def lines(
    page: PageDep,
    present: PresentDep,
    job_id: JobPath,
    attempt: Attempt = None,
    after: Cursor = None,
    before: Cursor = None,
    line: Annotated[Digits | None, Query(ge=1, le=2**53)] = None,
    level: Levels = None,
    step: StepName = None,
    task: TaskIndex = None,
    q: Words = None,
    limit: Annotated[Digits, Query(ge=1, le=2000)] = 500,
) -> Response:
    """Numbered lines as JSON."""
    place = LogPlace(after, before, line)
    where = LogFilter(tuple(level or ()), step, task, q or None)
    found = await present.whilst(page.services.log_windows.get(page.caller, job_id, attempt, place, where, limit))
    return Response(orjson.dumps(_answer(found)), media_type="application/json")


@router.get("/jobs/{job_id:id}/logs/count")
async def count(
    page: PageDep,
    present: PresentDep,
    job_id: JobPath,
    attempt: Attempt = None,
    before: Cursor = None,
    level: Levels = None,
    step: StepName = None,
    task: TaskIndex = None,
) -> Response:
    """How many lines fit in front of `before`, or of the end, and from where to count on."""
    where = LogFilter(tuple(level or ()), step, task, None)
    place = LogPlace(before=before)
    found = await present.whilst(page.services.log_windows.get(page.caller, job_id, attempt, place, where, _COUNTED))
    return Response(orjson.dumps({"count": len(found.lines), "earlier": found.earlier}), media_type="application/json")


def _answer(found: LogSlice) -> dict[str, object]:
    return {
        "lines": [_line(line) for line in found.lines],
        "next": found.next,
        "more": found.more,
        "earlier": found.earlier,
        "live": found.live,
        "total": found.total,
    }


def _line(numbered: NumberedLine) -> dict[str, object]:
    told = numbered.line
    return {
        "n": numbered.number,
        "c": told.cursor,
        "at": told.at // 1000,
        "level": told.level,
        "step": told.step,
        "task": told.task,
        "text": told.text,
    }
