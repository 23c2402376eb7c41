"""What is recorded about one job: steps, attempts, events, logs, lineage."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from jobdeck.api.http.depends import PAGE, Cursor, JobDep, Limit, PagingDep, PresentDep
from jobdeck.api.http.described import PREFIX
from jobdeck.core.life.states import StepState
from jobdeck.services.jobs.details import MAX_TASKS
from jobdeck.services.jobs.output.log_window import LogFilter
from jobdeck.services.jobs.output.logs import LogQuery
from jobdeck.services.jobs.queries import MAX_LIMIT
from jobdeck.services.jobs.timeline import TaskQuery
from jobdeck.wire.base import MAX_ID, Digits, Page
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt, Lineage
from jobdeck.wire.plans import JobClaim, JobDiff
from jobdeck.wire.steps import MAX_LOG_LINES, LogLevel, LogPage, Step, Task
from jobdeck.wire.timeline import Timeline

router = APIRouter(prefix=f"{PREFIX}/jobs/{{id}}", tags=["one job"])

AttemptNumber = Annotated[Digits | None, Query(ge=1, le=2**31 - 1, description="Default: the present attempt.")]
Search = Annotated[str | None, Query(min_length=1, max_length=200, description="Only lines with this text.")]
LogCursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]


@router.get("/steps", summary="Show a job's steps and tasks")
async def steps(
    about: JobDep,
    attempt: AttemptNumber = None,
    tasks: Annotated[Digits, Query(ge=0, le=MAX_TASKS, description="Tasks of each step, at most.")] = MAX_TASKS,
    limit: Limit = MAX_LIMIT,
    cursor: Cursor = None,
) -> Page[Step]:
    """The steps that have begun, each with its first thousand tasks; `task_count` says how many it has.

    Where that would be more than ten thousand tasks together, each shows fewer."""
    return await about.services.job_details.steps(
        about.caller, about.id, attempt, tasks=tasks, cursor=cursor, limit=limit
    )


@router.get("/steps/{index}/tasks", summary="List the tasks of a step")
async def tasks_of_step(
    about: JobDep,
    paging: PagingDep,
    index: Annotated[Digits, Path(ge=0, le=MAX_ID)],
    state: Annotated[list[StepState] | None, Query(max_length=20, description="Only tasks in any of these.")] = None,
    sort: Annotated[
        Literal["index", "-duration"], Query(description="In order, or those first that took longest.")
    ] = "index",
    attempt: AttemptNumber = None,
) -> Page[Task]:
    """All tasks, page by page. For those who may operate the job, the error of a task that failed has its traceback."""
    wanted = TaskQuery(index, attempt, tuple(state or ()), sort == "-duration", paging.cursor, paging.limit)
    return await about.services.timelines.tasks(about.caller, about.id, wanted)


@router.get("/timeline", summary="Show what a job did when")
async def timeline(about: JobDep, attempt: AttemptNumber = None) -> Timeline:
    """Spans of the job, of its attempts, and of the steps of one attempt with their tasks: one by one where a step has
    200 or fewer, else how many were at work when, with the slowest and the failed ones singled out."""
    return await about.services.timelines.get(about.caller, about.id, attempt)


@router.get("/diff", summary="Compare the parameters of two jobs")
async def diff(
    about: JobDep,
    other: Annotated[
        Digits | None, Query(alias="with", ge=1, le=MAX_ID, description="Default: the job that it runs again.")
    ] = None,
) -> JobDiff:
    """From the parameters of the other job to those of this one, place by place; secrets are masked."""
    return await about.services.related_jobs.diff(about.caller, about.id, other)


@router.get("/claims", summary="Show what a job claims")
async def claims(about: JobDep, paging: PagingDep) -> Page[JobClaim]:
    """The resources that the job holds or wants, as things are now: those in its way first, then those with a limit."""
    return await about.services.job_claims.page(about.caller, about.id, paging.cursor, paging.limit)


@router.get("/attempts", summary="List a job's attempts")
async def attempts(about: JobDep, paging: PagingDep) -> Page[Attempt]:
    """The runs of the job from its first step, first to last."""
    return await about.services.job_details.attempts(about.caller, about.id, paging.cursor, paging.limit)


@router.get("/events", summary="List a job's events")
async def events(
    about: JobDep,
    after: Annotated[Digits, Query(ge=0, le=MAX_ID, description="`next` of the page before, or an event's id.")] = 0,
    limit: Limit = PAGE,
) -> Page[Event]:
    """What happened to the job, oldest first."""
    return await about.services.job_details.events(about.caller, about.id, after, limit)


@router.get("/logs", summary="Read a job's log")
async def logs(
    about: JobDep,
    present: PresentDep,
    attempt: AttemptNumber = None,
    after: LogCursor = None,
    before: Annotated[str | None, Query(max_length=100, description="`cursor` of a line: the lines before it.")] = None,
    tail: Annotated[Digits | None, Query(ge=1, le=1000, description="Begin with the last so many lines.")] = None,
    level: Annotated[
        list[LogLevel] | None, Query(max_length=20, description="Only lines of any of these levels.")
    ] = None,
    step: Annotated[str | None, Query(max_length=200, description="Only lines of the step of this name.")] = None,
    task: Annotated[Digits | None, Query(ge=0, le=MAX_ID, description="Only lines of tasks with this index.")] = None,
    q: Search = None,
    limit: Annotated[Digits, Query(ge=1, le=MAX_LOG_LINES, description="Lines of an answer, at most.")] = PAGE,
) -> LogPage:
    """Lines, oldest first. `next` stays set while more may come, so that a log can be followed with `after`.

    One answer looks through a part of a large log: it may have no line that fits, and those that follow may have some.
    Go on with `after` until `next` is null or what was sent, with `before` until `earlier` is null.

    With `q` each line says in `matches` where it has the text; `before` and `after` a line's `cursor` is what is around
    it."""
    where = LogFilter(tuple(level or ()), step, task, q)
    asked = LogQuery(attempt, after, before, tail, where, limit)
    return await present.whilst(about.services.job_logs.page(about.caller, about.id, asked))


@router.get(
    "/logs/download",
    summary="Download a job's log",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The log as text."}},
)
async def download_log(about: JobDep, attempt: AttemptNumber = None) -> StreamingResponse:
    """The whole log of an attempt as text."""
    pieces = await about.services.job_logs.text(about.caller, about.id, attempt)
    headers = {"Content-Disposition": f'attachment; filename="job-{about.id}.log"'}
    return StreamingResponse(pieces, headers=headers, media_type="text/plain; charset=utf-8")


@router.get("/lineage", summary="Show what a job read and wrote")
async def lineage(about: JobDep) -> Lineage:
    """Objects and files with versions, and the jobs before and after this one through them."""
    return await about.services.related_jobs.lineage(about.caller, about.id)
