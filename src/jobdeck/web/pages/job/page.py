"""The page of one job: its head, and the tabs overview, events, family and attempts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from jobdeck.core.errors import NotFound
from jobdeck.core.life.states import State
from jobdeck.core.refs import with_id
from jobdeck.services import cursors
from jobdeck.services.jobs.queries import JobConditions, JobQuery
from jobdeck.web.page import PageContext, PageDep
from jobdeck.web.pages.job import rejects as job_rejects
from jobdeck.web.pages.job.events import sentences as job_events
from jobdeck.web.pages.job.head import head_of, show
from jobdeck.web.pages.job.ids import JobPath
from jobdeck.wire.base import MAX_ID, Digits
from jobdeck.wire.jobs import Job, Lineage
from jobdeck.wire.plans import JobDiff
from jobdeck.wire.timeline import SpanView

router = APIRouter(include_in_schema=False)

CHILDREN = 50
EVENTS = 100
_FILE = re.compile(r'"file:([0-9]{1,18})"')
_MOST_FILES = 50
"""Files whose names are told on one page."""
Cursor = Annotated[str | None, Query(max_length=cursors.MAX_CURSOR)]
EventId = Annotated[Digits | None, Query(ge=0, le=MAX_ID)]


@router.get("/jobs/{job_id:id}")
async def overview(
    page: PageDep,
    job_id: JobPath,
    rejects: Annotated[str | None, Query(max_length=100)] = None,
    rows: Cursor = None,
) -> Response:
    """Everything about the job at one glance; of rejected rows those of the file `rejects`, from `rows` on."""
    job = await page.services.jobs.get(page.caller, job_id)
    sides = await page.services.job_details.extras(page.caller, job_id)
    touched = await page.services.related_jobs.lineage(page.caller, job_id)
    return await show(
        page, "job/overview.html", job_id, "overview",
        job=job,
        sides=sides,
        claims=await page.services.job_claims.all(page.caller, job_id),
        lineage=touched,
        named=await _named(page, job, touched),
        replaceable=await _replaceable(page, job),
        rejected=await job_rejects.of(page, job, rejects, rows),
        diff=await _diff(page, job),
        pretty=pretty,
    )  # fmt: skip


@router.get("/jobs/{job_id:id}/head")
async def head(page: PageDep, job_id: JobPath, tab: Annotated[str, Query(max_length=20)] = "overview") -> Response:
    """The head alone, for a page that keeps it up to date."""
    if not page.is_fragment:
        return page.redirect(page.link(f"/jobs/{job_id}"))
    found = await head_of(page, job_id)
    return await page.render("job/page.html", block="head", head=found, job=found.job, tab=tab)


async def _diff(page: PageContext, job: Job) -> JobDiff | None:
    """How its parameters differ from those of the job that it runs again; None where there is none to be seen."""
    if job.copied_from is None:
        return None
    try:
        return await page.services.related_jobs.diff(page.caller, job.id)
    except NotFound:
        return None


async def _named(page: PageContext, job: Job, touched: Lineage) -> list[tuple[str, str]]:
    """The project files that the parameters name, each with the name it has, or had when it was read."""
    refs = list(dict.fromkeys(_FILE.findall(json.dumps(job.params))))[:_MOST_FILES]
    names = {item.object: item.name for item in touched.inputs if item.name}
    unknown = [int(number) for number in refs if f"file:{number}" not in names]
    if unknown:
        found = await page.services.files.names(page.caller, job.project, unknown)
        names |= {f"file:{number}": name for number, name in found.items()}
    return [(ref, with_id(names[ref], ref)) for ref in (f"file:{number}" for number in refs) if ref in names]


async def _replaceable(page: PageContext, job: Job) -> list[tuple[int, str]]:
    """The project files that a job may still be waiting for other content of: id and present name."""
    if job.state not in (State.FAILED, State.PAUSED) or not page.may("file:write"):
        return []
    numbers = [int(number) for number in dict.fromkeys(_FILE.findall(json.dumps(job.params)))][:_MOST_FILES]
    names = await page.services.files.names(page.caller, job.project, numbers) if numbers else {}
    return [(number, with_id(names[number], f"file:{number}")) for number in numbers if number in names]


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@router.get("/jobs/{job_id:id}/events")
async def events(
    page: PageDep,
    job_id: JobPath,
    order: Literal["newest", "oldest"] = "newest",
    before: EventId = None,
    after: EventId = None,
) -> Response:
    """What happened to the job, page by page. With `after` and the newest first, what came since."""
    services = page.services
    if order == "oldest":
        found = await services.job_details.events(page.caller, job_id, after or 0, EVENTS)
        following = page.here(after=found.next) if found.next else None
    else:
        found = await services.job_details.newest_events(page.caller, job_id, before=before, limit=EVENTS)
        following = page.here(before=found.next) if found.next else None
        if after is not None:
            found.items = [event for event in found.items if event.id > after]
    known = await services.job_details.steps(page.caller, job_id, tasks=0)
    return await show(
        page, "job/events/page.html", job_id, "events",
        events=found.items,
        next=following,
        order=order,
        is_first=before is None and (after is None or order == "newest"),
        sentence=job_events.sentence,
        steps={step.index: step.name for step in known.items},
        symbols=job_events.SYMBOLS,
        tones=job_events.TONES,
    )  # fmt: skip


@router.get("/jobs/{job_id:id}/family")
async def family(
    page: PageDep,
    job_id: JobPath,
    state: State | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """The jobs above it, beside it and below it."""
    services = page.services
    job = await services.jobs.get(page.caller, job_id)
    siblings = 0
    if job.parent is not None:
        siblings = sum((await services.jobs.counts(page.caller, JobConditions(parent=job.parent))).values()) - 1
    return await show(
        page, "job/family/page.html", job_id, "family",
        job=job,
        ancestors=await services.related_jobs.ancestors(page.caller, job),
        siblings=siblings,
        counts=await services.jobs.counts(page.caller, JobConditions(parent=job_id)),
        state=state,
        is_first=cursor is None,
        **await _children(page, job_id, state, cursor),
    )  # fmt: skip


@router.get("/jobs/{job_id:id}/children")
async def children(
    page: PageDep,
    job_id: JobPath,
    state: State | None = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """The children of a job, to be unfolded in the family of one above it."""
    if not page.is_fragment:
        return page.redirect(page.link(f"/jobs/{job_id}/family"))
    found = await _children(page, job_id, state, cursor)
    return await page.render("job/family/page.html", block="children", of=job_id, **found)


async def _children(page: PageContext, job_id: int, state: State | None, cursor: str | None) -> Mapping[str, Any]:
    wanted = JobQuery(
        parent=job_id, sort="created_at", limit=CHILDREN, cursor=cursor, state=[state] if state is not None else []
    )
    found, _ = await page.services.jobs.page(page.caller, wanted)
    below = await page.services.related_jobs.children_counts(page.caller, found.items)
    return {"children": found.items, "below": below, "next": found.next}


@router.get("/jobs/{job_id:id}/attempts")
async def attempts(page: PageDep, job_id: JobPath) -> Response:
    """The runs of the job from its first step."""
    timeline = await page.services.timelines.get(page.caller, job_id)
    return await show(
        page, "job/attempts.html", job_id, "attempts",
        attempts=timeline.attempts[::-1],
        sums={a.attempt: _sums(timeline.spans, a.attempt, timeline.now) for a in timeline.attempts},
        waits=timeline.attempt if timeline.attempt not in {a.attempt for a in timeline.attempts} else None,
    )  # fmt: skip


def _sums(spans: list[SpanView], attempt: int, now: Any) -> dict[str, float]:
    """Seconds of an attempt by what the job did, and how often its worker was lost (`losses`)."""
    sums = {"waiting": 0.0, "running": 0.0, "paused": 0.0, "losses": 0.0}
    kinds = {"pausing": "running", "canceling": "running"}
    for span in spans:
        kind = kinds.get(span.kind, span.kind)
        if span.attempt != attempt or span.start is None:
            continue
        sums["losses"] += span.because == "worker_lost"
        if kind in sums:
            sums[kind] += ((span.end or now) - span.start).total_seconds()
    return sums
