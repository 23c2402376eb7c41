"""The jobs that one job has to do with: above and below it, before and after it, and the one that it runs again."""

from __future__ import annotations

import json
from collections.abc import Sequence

from jobdeck.access.caller import Caller
from jobdeck.core.errors import NotFound
from jobdeck.services.core import Core
from jobdeck.services.jobs.differences import changes
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.services.jobs.presenter import object_view
from jobdeck.services.masking import Masker
from jobdeck.store.views import job_views
from jobdeck.wire.jobs import Job, Lineage
from jobdeck.wire.plans import JobDiff


class RelatedJobs:
    """The use cases between jobs."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs
        self._seals = core.seals()
        self._masker = Masker(core.registry)

    async def ancestors(self, caller: Caller, job: Job) -> list[Job]:
        """The jobs above it, the topmost first; one that is gone, or may not be seen, is left out."""
        found = []
        for above in job.run_id.split(".")[:-1]:
            try:
                found.append(await self._jobs.get(caller, int(above)))
            except NotFound:
                continue
        return found

    async def children_counts(self, caller: Caller, jobs: Sequence[Job]) -> dict[int, int]:
        """How many children each of these jobs, which the caller was shown, has; those with none are left out."""
        visible = [job.id for job in jobs]
        if not visible:
            return {}
        await self._jobs.require_visible(caller, visible[0])
        async with self._core.database.read() as connection:
            return await job_views.children_counts(connection, visible)

    async def lineage(self, caller: Caller, job_id: int) -> Lineage:
        """What the job read and wrote, and the jobs before and after it through those objects."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            touched = (await job_views.lineage_of(connection, [row], 10_000)).get(job_id, [])
            upstream = await job_views.neighbours(connection, job_id, row["project_id"], "input")
            downstream = await job_views.neighbours(connection, job_id, row["project_id"], "output")
        return Lineage(
            inputs=[object_view(t) for t in touched if t.direction == "input"],
            outputs=[object_view(t) for t in touched if t.direction == "output"],
            upstream=upstream,
            downstream=downstream,
        )

    async def diff(self, caller: Caller, job_id: int, other: int | None = None) -> JobDiff:
        """From the parameters of `other` (default: the job that it runs again) to those of the job.

        Raises NotFound, also where there is no other."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            wanted = other if other is not None else row["copied_from"]
            before = await job_views.get(connection, wanted) if wanted is not None else None
        if wanted is None:
            raise NotFound(f"Job {job_id} runs no other one again.", field="with", hint="Say with which to compare it.")
        if before is None or not caller.sees(before["project_id"]):
            raise no_such_job(wanted, "with")
        old, new = (self._seals.open(r["project_id"], json.loads(r["params"]), r["secrets"]) for r in (before, row))
        shown = self._masker.mask(before["type"], old), self._masker.mask(row["type"], new)
        return JobDiff(job=job_id, other=wanted, same=old == new, changes=changes(old, new, *shown))
