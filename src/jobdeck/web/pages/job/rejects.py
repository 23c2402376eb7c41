"""The rejected rows on a job's page: the files they are in, and the first rows of one of them."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.access.caller import Permission
from jobdeck.web.page import PageContext
from jobdeck.wire.base import Page as Items
from jobdeck.wire.jobs import Job
from jobdeck.wire.rejects import RejectedRow, RejectFile

FILES = 20
ROWS = 10


@dataclass(frozen=True, slots=True)
class Rejected:
    """What is shown of a job's rejected rows; `chosen` is the file whose rows they are."""

    files: Items[RejectFile]
    chosen: str
    rows: Items[RejectedRow]
    from_start: bool


async def of(page: PageContext, job: Job, chosen: str | None, cursor: str | None) -> Rejected | None:
    """None where the job rejects no rows, or rejected none. Raises NotFound for a file that is not there."""
    if job.params.get("on_bad_row") != "reject" or page.caller.why_not(Permission.OBJECT_READ) is not None:
        return None
    services = page.services.job_rejects
    files = await services.page(page.caller, job.id, limit=FILES)
    if not files.items:
        return None
    name = chosen or files.items[0].name
    rows = await services.rows(page.caller, job.id, name, cursor=cursor, limit=ROWS)
    return Rejected(files, name, rows, cursor is None)
