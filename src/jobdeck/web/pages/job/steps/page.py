"""The tab of a job's steps: its timeline, and the tasks of one step."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from jobdeck.core.errors import NotFound
from jobdeck.core.life.states import StepState
from jobdeck.services.cursors import MAX_CURSOR
from jobdeck.services.jobs.timeline import TaskQuery
from jobdeck.web.page import PageDep
from jobdeck.web.pages.job.head import show
from jobdeck.web.pages.job.ids import JobPath
from jobdeck.web.pages.job.steps.timeline import draw
from jobdeck.wire.base import Digits
from jobdeck.wire.base import Page as WirePage
from jobdeck.wire.steps import Task
from jobdeck.wire.timeline import StepBar, Timeline

router = APIRouter(include_in_schema=False)

TASKS = 50
Number = Annotated[Digits | None, Query(ge=0, le=2**31 - 1)]


@router.get("/jobs/{job_id:id}/steps")
async def steps(
    page: PageDep,
    job_id: JobPath,
    attempt: Annotated[Digits | None, Query(ge=1, le=2**31 - 1)] = None,
    step: Number = None,
    tasks: Annotated[StepState | None, Query(description="Only tasks in this state.")] = None,
    sort: Literal["index", "slowest"] = "index",
    cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
) -> Response:
    """What the steps did when, and the tasks of the one that matters most, or of `step`."""
    timeline = await page.services.timelines.get(page.caller, job_id, attempt)
    chosen = _chosen(timeline, step, tasks)
    found = WirePage[Task](items=[])
    if chosen is not None:
        wanted = TaskQuery(chosen.index, timeline.attempt, (tasks,) if tasks else (), sort == "slowest", cursor, TASKS)
        found = await page.services.timelines.tasks(page.caller, job_id, wanted)
    return await show(
        page, "job/steps/page.html", job_id, "steps",
        timeline=timeline,
        drawing=draw(timeline),
        chosen=chosen,
        tasks=found.items,
        wanted=tasks,
        sort=sort,
        next=page.here(cursor=found.next) if found.next else None,
        is_first=cursor is None,
    )  # fmt: skip


def _chosen(timeline: Timeline, index: int | None, state: StepState | None) -> StepBar | None:
    """The step whose tasks are shown: the one asked for; else one with tasks in the state asked for; else one that
    failed, that runs, or that has the most tasks. Raises NotFound for one that has not begun."""
    steps = timeline.steps
    if index is not None:
        found = next((s for s in steps if s.index == index), None)
        if found is None:
            raise NotFound(f"Attempt {timeline.attempt} of this job has no step {index} yet.", field="step")
        return found
    if not steps:
        return None
    wanted = [s for s in steps if state is not None and s.tasks.counts.get(state)]
    for state_of in (StepState.FAILED, StepState.RUNNING):
        wanted = wanted or [s for s in steps if s.state is state_of]
    return wanted[0] if wanted else max(steps, key=lambda s: s.tasks.count)
