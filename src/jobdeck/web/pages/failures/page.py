"""Failures, grouped by kind: what goes wrong, how often, since when; and retrying all jobs of a group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query
from starlette.responses import Response

from jobdeck.core.errors import NotFound
from jobdeck.core.life.bulk import BulkOperation
from jobdeck.services.failures import FailureConditions, FailureQuery
from jobdeck.services.jobs.bulks import BulkAsked
from jobdeck.services.jobs.queries import JobConditions, When
from jobdeck.web.days import is_yesterday, yesterday
from jobdeck.web.page import PageContext, PageDep
from jobdeck.web.pages.failures.chart import chart
from jobdeck.wire.base import MAX_ID, Digits
from jobdeck.wire.bulk import Bulk, BulkPlan, BulkSelect
from jobdeck.wire.failures import FailureGroup

router = APIRouter(include_in_schema=False)

PATH = "/failures"
RANGES = (("12h", "12 h"), ("1d", "1 d"), ("3d", "3 d"), ("7d", "7 d"), ("30d", "30 d"), ("all", "All"))
DEFAULT_RANGE = "7d"
PAGE_SIZE = 50
_SMALL = (132, 26)
_LARGE = (720, 120)
_JOB_FIELDS = {"id", "state", "type", "description", "subject", "project", "warnings", "ended_at", "attempt"}
Fingerprint = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]
BulkId = Annotated[Digits, Path(ge=1, le=MAX_ID)]


class FailuresAddress(FailureQuery, extra="ignore"):
    """The query of the page: as that of the API, with a range of its own where none is named."""

    since: Literal["all"] | When = DEFAULT_RANGE

    def asked(self, project: str | None) -> FailureQuery:
        """What the service is asked."""
        since = None if self.since == "all" else self.since
        return FailureQuery(
            project=[project] if project else [], type=self.type, since=since, until=self.until, q=self.q,
            sort=self.sort, cursor=self.cursor, limit=PAGE_SIZE,
        )  # fmt: skip

    def conditions(self, project: str | None) -> FailureConditions:
        """The same for one group."""
        asked = self.asked(project)
        return FailureConditions(project=asked.project, type=asked.type, since=asked.since, until=asked.until)


Address = Annotated[FailuresAddress, Query()]


@router.get(PATH)
async def failures_page(page: PageDep, address: Address) -> Response:
    """All groups."""
    found = await page.services.failures.page(page.caller, address.asked(page.project))
    types = await page.services.failures.types(page.caller, page.project)
    now = datetime.now(UTC)
    return await page.render(
        "failures/page.html",
        block="list",
        found=found,
        charts={group.fingerprint: chart(group.trend, *_SMALL) for group in found.items},
        address=address,
        ranges=RANGES,
        types=sorted({*types, *address.type}),
        yesterday=yesterday(now),
        is_yesterday=is_yesterday(address.since, address.until, now),
        is_narrowed=bool(address.q or address.type or address.until),
    )


@router.get(f"{PATH}/{{fingerprint}}")
async def group_page(page: PageDep, fingerprint: Fingerprint, address: Address) -> Response:
    """One group: what it is, when, where, and its latest jobs."""
    return await _group(page, fingerprint, address, block="group")


@router.get(f"{PATH}/{{fingerprint}}/retry")
async def offer_retry(page: PageDep, fingerprint: Fingerprint, address: Address) -> Response:
    """How many jobs there are to retry."""
    return await _group(page, fingerprint, address, block="retry")


@router.post(f"{PATH}/{{fingerprint}}/retry")
async def plan_retry(page: PageDep, fingerprint: Fingerprint, address: Address) -> Response:
    """What resuming the failed jobs of the group would do, those in the range and of the types that are looked at;
    nothing is done yet."""
    shown_by, _ = await _shown(page, fingerprint, address)
    asked = shown_by.asked(page.project)
    given: dict[str, Any] = {"error": fingerprint, "state": ["failed"], "project": asked.project, "type": asked.type}
    given |= {"ended_since": asked.since, "ended_until": asked.until}
    given = {name: value for name, value in given.items() if value not in (None, [])}
    select = BulkSelect[JobConditions](filter=JobConditions(**given))
    plan = await page.services.bulks.preview(page.caller, BulkAsked(operation=BulkOperation.RESUME, select=select))
    return await _group(page, fingerprint, address, block="retry", bulk=plan)


@router.post(f"{PATH}/{{fingerprint}}/retry/{{id}}")
async def run_retry(
    page: PageDep,
    fingerprint: Fingerprint,
    id: BulkId,
    address: Address,
    token: Annotated[str, Form(max_length=200)],
) -> Response:
    """Resume the jobs that were shown."""
    bulk = await page.services.bulks.run(page.caller, id, token)
    return await _group(page, fingerprint, address, block="retry", bulk=bulk)


@router.post(f"{PATH}/{{fingerprint}}/retry/{{id}}/stop")
async def stop_retry(page: PageDep, fingerprint: Fingerprint, id: BulkId, address: Address) -> Response:
    """Touch no further job; of a plan: leave it."""
    before = await page.services.bulks.get(page.caller, id)
    bulk = await page.services.bulks.stop(page.caller, id)
    return await _group(page, fingerprint, address, block="retry", bulk=None if before.state == "planned" else bulk)


@router.get(f"{PATH}/{{fingerprint}}/retry/{{id}}")
async def show_retry(page: PageDep, fingerprint: Fingerprint, id: BulkId, address: Address) -> Response:
    """How far it is."""
    bulk = await page.services.bulks.get(page.caller, id)
    return await _group(page, fingerprint, address, block="retry", bulk=bulk)


async def _group(
    page: PageContext, fingerprint: str, address: FailuresAddress, *, block: str, bulk: Bulk | None = None
) -> Response:
    whole = await page.services.failures.get(page.caller, fingerprint, _everything(page))
    shown_by, found = await _shown(page, fingerprint, address)
    group = found or whole
    jobs = await page.services.jobs.get_many(page.caller, group.latest, _JOB_FIELDS)
    now = datetime.now(UTC)
    return await page.render(
        "failures/group.html",
        block=block,
        group=group,
        in_range=found is not None,
        failed_now=group.jobs_failed_now,
        failed_besides=whole.jobs_failed_now - group.jobs_failed_now,
        chart=chart(group.trend, *_LARGE),
        jobs=jobs,
        address=address,
        shown_by=shown_by,
        ranges=RANGES,
        yesterday=yesterday(now),
        is_yesterday=is_yesterday(address.since, address.until, now),
        bulk=bulk,
        token=bulk.token if isinstance(bulk, BulkPlan) else "",
    )


def _everything(page: PageContext) -> FailureConditions:
    return FailureConditions(project=[page.project] if page.project else [])


async def _shown(
    page: PageContext, fingerprint: str, address: FailuresAddress
) -> tuple[FailuresAddress, FailureGroup | None]:
    """What of a group is shown: as far as it is in the range and of the types that are looked at, and then the group;
    where nothing of it is, all of it."""
    try:
        found = await page.services.failures.get(page.caller, fingerprint, address.conditions(page.project))
    except NotFound:
        return FailuresAddress(since="all"), None
    return address, found
