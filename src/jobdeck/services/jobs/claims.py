"""What a job claims, or would, as things are now: what is free, and who holds what."""

from __future__ import annotations

from jobdeck.access.caller import Caller
from jobdeck.core.claims import Claim, Mode, fits, is_shared, local_name
from jobdeck.core.life.waiting import SHOWN_HOLDERS
from jobdeck.engine.scheduling.world import Snapshot, snapshot
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.store.running import leases
from jobdeck.wire.base import Page
from jobdeck.wire.plans import ClaimView, JobClaim


class JobClaims:
    """The use cases of a job's claims."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def all(self, caller: Caller, job_id: int) -> list[JobClaim]:
        """What the job claims: those in the way first, then those with a limit; raises NotFound."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            now = await self._core.database.clock.now(connection)
            installation = self._core.installation
            world = await snapshot(connection, now, installation.project_limit, installation.worker_silence)
        found = [_job_claim(claim, world, caller.project, job_id) for claim in leases.claims_of(row["claims"])]
        return sorted(found, key=lambda c: (c.held or c.free, not c.is_limited, c.resource))

    async def page(self, caller: Caller, job_id: int, cursor: str | None, limit: int) -> Page[JobClaim]:
        """The same, page by page; one that changes its place between two pages may be left out or come twice."""
        kind = f"claims:{job_id}"
        start = max(0, cursors.number(cursor, kind) or 0)
        found = await self.all(caller, job_id)
        last = cursors.encode(kind, start + limit) if len(found) > start + limit else None
        return Page[JobClaim](items=found[start : start + limit], next=last)


def claim_view(claim: Claim, world: Snapshot, viewer: str | None) -> ClaimView:
    """A claim of a job that is not there yet, as one bound to the project `viewer` (None: to none) may know it."""
    return ClaimView.model_validate(_facts(claim, world, viewer))


def _job_claim(claim: Claim, world: Snapshot, viewer: str | None, job_id: int) -> JobClaim:
    held = job_id in world.holding(claim.resource).units
    return JobClaim.model_validate(_facts(claim, world, viewer, job_id) | {"held": held})


def _facts(claim: Claim, world: Snapshot, viewer: str | None, own: int | None = None) -> dict[str, object]:
    """`own`: the job that claims, which is not told of among the holders."""
    holding, capacity = world.holding(claim.resource), world.capacity(claim.resource)
    told = world.told(claim.resource, viewer)
    return {
        "resource": local_name(claim.resource),
        "own": not is_shared(claim.resource),
        "units": claim.units,
        "mode": "exclusive" if claim.mode is Mode.EXCLUSIVE else "shared",
        "free": fits(claim, holding, capacity),
        "capacity": told.capacity,
        "used": told.used,
        "holders": [job for job in told.holders if job != own][:SHOWN_HOLDERS],
    }
