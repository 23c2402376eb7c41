"""What the head of a job's page needs, whichever tab is open: the job, why it stands so, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from jobdeck.access.caller import Permission
from jobdeck.core.life.family import words
from jobdeck.core.life.operations import Operation
from jobdeck.core.life.states import ALIVE, ENDED, State
from jobdeck.services.jobs.details import JobExtras
from jobdeck.services.jobs.queries import JobConditions
from jobdeck.web.page import PageContext
from jobdeck.web.pages.job.why import (
    ASKED,
    CHILD_FAILED,
    WARNINGS_SHOWN,
    HeadReason,
    KnownOfJob,
    who_asked,
    whys,
)
from jobdeck.wire.jobs import Job

TABS = ("overview", "steps", "events", "logs", "family", "attempts")


@dataclass(frozen=True, slots=True)
class Act:
    """Something to do with the job."""

    name: str
    text: str
    symbol: str
    key: str
    """Does it, when it is pressed."""
    allowed: bool
    why: str | None = None
    """Why it is not allowed."""
    danger: bool = False
    children: str | None = None
    """Of a delete: what would go with the job."""


_ACTS: tuple[tuple[Operation, str, str, str, bool], ...] = (
    (Operation.PAUSE, "Pause", "pause", "p", False),
    (Operation.RESUME, "Resume", "play", "u", False),
    (Operation.RESTART, "Restart", "restart", "r", False),
    (Operation.CANCEL, "Cancel", "stop", "c", True),
    (Operation.DELETE, "Delete", "trash", "d", True),
)


@dataclass(frozen=True, slots=True)
class Head:
    """The head of the page."""

    job: Job
    sides: JobExtras
    whys: Sequence[HeadReason]
    acts: Sequence[Act]
    can_prioritize: bool
    live_jobs: str | None
    """Ids of the jobs whose events may change what the head says; None: any event may."""


async def head_of(page: PageContext, job_id: int) -> Head:
    """The head of a job's page; raises NotFound."""
    services = page.services
    job = await services.jobs.get(page.caller, job_id)
    sides = await services.job_details.extras(page.caller, job_id)
    asked = None
    if job.state in (State.PAUSING, State.PAUSED, State.CANCELING, State.CANCELED):
        found = await services.job_details.newest_events(page.caller, job_id, kinds=ASKED, limit=2)
        asked = who_asked(found.items)
    forbidden = page.caller.why_not(Permission.JOB_SUBMIT)
    again = Act("run-again", "Run again", "again", "a", forbidden is None, forbidden)
    change = Act("change", "Run again with changes", "edit", "e", forbidden is None, forbidden)
    known = KnownOfJob(
        sides,
        asked,
        await _children(page, job),
        partial(_may_lift, page),
        await _warned(page, job),
        page.may("file:write"),
    )
    acts = [_act(job, *described) for described in _ACTS]
    calm, dangerous = [a for a in acts if not a.danger], [a for a in acts if a.danger]
    return Head(
        job=job,
        sides=sides,
        whys=whys(job, known),
        acts=[*calm, again, change, *dangerous],
        can_prioritize=page.may("job:operate") and job.state in (State.PENDING, State.PAUSED),
        live_jobs=None if job.state is State.PENDING else str(job.id),
    )


async def _children(page: PageContext, job: Job) -> Mapping[str, int]:
    """How many of a job's children are how, where it failed because of them."""
    if job.state is not State.FAILED or job.error is None or job.error.code != CHILD_FAILED:
        return {}
    return await page.services.jobs.counts(page.caller, JobConditions(parent=job.id))


async def _warned(page: PageContext, job: Job) -> Sequence[str]:
    """The first warnings of a job that has ended. While it runs its log is too much in motion to be read each time."""
    if not job.warnings or job.state not in ENDED:
        return ()
    return await page.services.job_logs.warnings(page.caller, job.id, WARNINGS_SHOWN)


def _may_lift(page: PageContext, scope: str) -> bool:
    return page.may("project:pause" if scope.startswith("project:") else "instance:pause")


def _act(job: Job, operation: Operation, text: str, symbol: str, key: str, danger: bool) -> Act:
    view = job.actions[operation]
    children = words(view.children) if view.children else None
    return Act(str(operation), text, symbol, key, view.allowed, view.why, danger, children)


async def show(page: PageContext, template: str, job_id: int, tab: str, **context: Any) -> Response:
    """A tab of the job's page; where a script asks, what is in the tab alone."""
    if not page.is_fragment:
        context["head"] = await head_of(page, job_id)
    if "job" not in context:
        head = context.get("head")
        context["job"] = head.job if head else await page.services.jobs.get(page.caller, job_id)
    context["is_alive"] = context["job"].state in ALIVE
    context["has_ended"] = context["job"].state in ENDED
    return await page.render(template, block="tab", tab=tab, **context)
