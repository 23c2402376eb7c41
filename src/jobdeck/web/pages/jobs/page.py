"""The list of jobs: the page, what has changed on it, and its filters."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from jobdeck.core.errors import NotFound
from jobdeck.core.life.states import State
from jobdeck.services.jobs.queries import JobQuery
from jobdeck.web.fragments import FragmentDep
from jobdeck.web.page import PageContext, PageDep
from jobdeck.web.pages.jobs.columns import COLUMNS
from jobdeck.web.pages.jobs.filter import filters as jobs_filters
from jobdeck.web.pages.jobs.filter import quick
from jobdeck.web.pages.jobs.filter.query import PATH, SIZES, JobsAddress
from jobdeck.web.pages.jobs.list import ListPage, by_ids, counts, listed, told_by_rows
from jobdeck.wire.base import Digits

router = APIRouter(include_in_schema=False)


def _numbers(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return [part for part in value[0].split(",") if part]
    return value


Ids = Annotated[list[Annotated[Digits, Field(ge=1, le=2**63 - 1)]], BeforeValidator(_numbers), Field(max_length=500)]


class ChangesAsked(JobsAddress):
    """What a page shows, and which of its rows may be old."""

    shown: Ids = Field(default=[])
    changed: Ids = Field(default=[])


@router.get(PATH)
async def jobs_page(page: PageDep, address: Annotated[JobsAddress, Query()]) -> Response:
    """A page of jobs. With a search it does not wait for the counts, which look at every text there is."""
    page.request.app.state.readiness.look()
    found, counted = await _found(page, address)
    is_empty = not found.jobs and not address.is_filtered and address.cursor is None
    nothing_yet = is_empty and await _is_nothing(page)
    context = _common(page, address, counted) | {"found": found, "nothing_yet": nothing_yet}
    if counted is None and address.is_first_page and found.is_all:
        context["total"] = len(found.jobs)
    return await page.render("jobs/page.html", block="list", **context)


async def _found(page: PageContext, address: JobsAddress) -> tuple[ListPage, dict[str, int] | None]:
    """The page's rows, and the counts unless they are to be asked for by themselves."""
    if address.q:
        found = await listed(page.services, page.caller, address)
        return found, told_by_rows(found, address)
    return await asyncio.gather(
        listed(page.services, page.caller, address), counts(page.services, page.caller, address)
    )


@router.get(f"{PATH}/counts")
async def counts_alone(page: FragmentDep, address: Annotated[JobsAddress, Query()]) -> Response:
    """The counts of a page that was shown without them."""
    counted = await counts(page.services, page.caller, address)
    return await page.render("jobs/changes.html", block="counts", **_common(page, address, counted))


@router.get(f"{PATH}/changes")
async def changes(page: FragmentDep, asked: Annotated[ChangesAsked, Query()]) -> Response:
    """The rows in `changed` as they are now, the counts, and how many jobs belong on the page and are not `shown`."""
    found, counted, jobs = await asyncio.gather(
        listed(page.services, page.caller, asked),
        counts(page.services, page.caller, asked),
        by_ids(page.services, page.caller, asked.changed),
    )
    shown = set(asked.shown)
    new = [job.id for job in found.jobs if job.id not in shown]
    left = {job.id for job in jobs if asked.state and job.state not in asked.state}
    context = _common(page, asked, counted) | {"jobs": jobs, "new": len(new), "left": left}
    return await page.render("jobs/changes.html", block="changes", **context)


@router.get(f"{PATH}/filter/{{key}}")
async def filter_form(
    page: FragmentDep, key: Annotated[str, Path(max_length=40)], address: Annotated[JobsAddress, Query()]
) -> Response:
    """The form of one filter."""
    found = jobs_filters.FILTERS.get(key)
    if found is None:
        raise NotFound(f"There is no filter '{key}'.")
    choices = await jobs_filters.choices(page, address, found)
    return await page.render("jobs/filter/form.html", block="form", filter=found, choices=choices, address=address)


async def _is_nothing(page: PageContext) -> bool:
    """Whether nothing was ever run in what is looked at."""
    query = JobQuery(project=[page.project] if page.project else [], limit=1, fields=["id"])
    return not (await page.services.jobs.page(page.caller, query))[0].items


def _common(page: PageContext, address: JobsAddress, counted: dict[str, int] | None) -> dict[str, Any]:
    """What all parts of the page are made from; `counts` and `total` are None while they are not known."""
    states = [str(state) for state in address.state]
    total = None if counted is None else sum(n for state, n in counted.items() if not states or state in states)
    now = datetime.now(UTC)
    return {
        "address": address,
        "counts": counted,
        "total": total,
        "states": [str(state) for state in State],
        "columns": [c for c in COLUMNS if c.key != "project" or page.project is None],
        "basis": quick.basis(address),
        "bases": quick.bases(address),
        "ranges": quick.ranges(address, now),
        "sizes": SIZES,
        "chips": jobs_filters.chips(address, now),
        "filters": jobs_filters.offered(page),
        "is_quick": quick.is_quick(address, now),
        "may_operate": page.may("job:operate"),
        "now": now,
        "left": set(),
    }
