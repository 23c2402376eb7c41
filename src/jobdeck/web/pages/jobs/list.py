"""The list's content: one page of jobs, filled up from as many answers of the service as it takes."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobdeck.access.caller import Caller
from jobdeck.core.errors import NotFound
from jobdeck.core.life.states import State
from jobdeck.services import cursors
from jobdeck.services.services import Services
from jobdeck.web.pages.jobs.filter.query import JobsAddress
from jobdeck.wire.base import micros
from jobdeck.wire.jobs import Job

FIELDS = (
    "id", "run_id", "project", "type", "category", "state", "description", "subject", "priority", "tags", "parent",
    "configuration", "attempt", "progress", "wait", "error", "warnings", "cause", "reason", "created_by", "created_at",
    "started_at", "ended_at", "queued_seconds", "running_seconds", "credits", "worker", "actions",
)  # fmt: skip
PATIENCE = 0.25
"""Seconds that a page looks for more rows; what is still missing then is asked for by the page itself."""


@dataclass(slots=True)
class ListPage:
    """One page: its rows, and where the pages beside it begin."""

    jobs: list[Job] = field(default_factory=list)
    next: str | None = None
    previous: str | None = None
    is_short: bool = False
    """There may be more, further back, which was not looked for yet."""

    @property
    def is_all(self) -> bool:
        """Whether there are no other pages."""
        return self.next is None and self.previous is None


async def listed(services: Services, caller: Caller, address: JobsAddress) -> ListPage:
    """The page that `address` means."""
    if address.before is not None:
        found = await _before(services, caller, address)
        if found is not None:
            return found
        address = address.model_copy(update={"before": None, "cursor": None})
    jobs, following = await _filled(services, caller, address, address.sort, address.cursor)
    found = ListPage(jobs, following, is_short=following is not None and len(jobs) < address.size)
    if address.cursor is not None and jobs:
        found.previous = _cursor(_reversed(address.sort), jobs[0])
    return found


async def _before(services: Services, caller: Caller, address: JobsAddress) -> ListPage | None:
    """The rows in front of a place, asked for in the opposite order; None where they are the first page."""
    jobs, further = await _filled(services, caller, address, _reversed(address.sort), address.before)
    if len(jobs) < address.size:
        return None
    jobs.reverse()
    previous = _cursor(_reversed(address.sort), jobs[0]) if further else None
    return ListPage(jobs, _cursor(address.sort, jobs[-1]), previous)


async def _filled(
    services: Services, caller: Caller, address: JobsAddress, sort: str, cursor: str | None
) -> tuple[list[Job], str | None]:
    """Up to a page of jobs, and where it goes on."""
    until = time.monotonic() + PATIENCE
    jobs: list[Job] = []
    while True:
        query = address.query(sort=sort, cursor=cursor, limit=address.size - len(jobs), fields=list(FIELDS))
        page, _ = await services.jobs.page(caller, query)
        jobs += page.items
        cursor = page.next
        if cursor is None or len(jobs) >= address.size or time.monotonic() > until:
            return jobs, cursor


def _reversed(sort: str) -> str:
    return sort[1:] if sort.startswith("-") else f"-{sort}"


def _cursor(sort: str, job: Job) -> str:
    """A place in the list, as the service writes it."""
    by = sort.lstrip("-")
    value: int | str
    if by == "created_at":
        value = job.id
    elif by in ("started_at", "ended_at"):
        at = getattr(job, by)
        value = micros(at) if at else 0
    elif by == "duration":
        value = round(job.running_seconds * 1_000_000)
    else:
        value = int(job.priority) if by == "priority" else str(getattr(job, by))
    return cursors.encode(f"jobs:{sort}", value, job.id)


def told_by_rows(found: ListPage, address: JobsAddress) -> dict[str, int] | None:
    """The counts where the page itself tells them: it has all jobs that match, in whatever state."""
    if address.state or not address.is_first_page or not found.is_all:
        return None
    counted = Counter(str(job.state) for job in found.jobs)
    return {str(state): counted[str(state)] for state in State}


async def counts(services: Services, caller: Caller, address: JobsAddress) -> dict[str, int]:
    """How many jobs of each state there are that pass the other filters."""
    return await services.jobs.counts(caller, address.conditions(state=None))


async def by_ids(services: Services, caller: Caller, ids: Sequence[int]) -> list[Job]:
    """Those of the jobs that still are there."""
    wanted = set(FIELDS)
    try:
        return await services.jobs.get_many(caller, ids, wanted)
    except NotFound:
        found = await asyncio.gather(*(_one(services, caller, job_id, wanted) for job_id in ids))
        return [job for job in found if job is not None]


async def _one(services: Services, caller: Caller, job_id: int, wanted: set[str]) -> Job | None:
    try:
        return (await services.jobs.get_many(caller, [job_id], wanted))[0]
    except NotFound:
        return None
