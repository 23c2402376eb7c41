"""What a page about one job tells beside the job itself: its claims and who holds them, where it comes from, whom it
belongs to, and what happened last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jobdeck.access.caller import Caller
from jobdeck.core.claims import Claim, Mode, fits, is_shared, local_name
from jobdeck.core.errors import NotFound
from jobdeck.core.life.operations import Intent
from jobdeck.core.life.states import ALIVE, State
from jobdeck.core.life.waiting import SHOWN_HOLDERS
from jobdeck.engine.scheduling.explain import Snapshot, snapshot
from jobdeck.services import cursors, scope
from jobdeck.services.core import Core
from jobdeck.services.jobs.details import event
from jobdeck.services.jobs.jobs import Jobs, no_such_job
from jobdeck.store.running import leases
from jobdeck.store.views import JobRow, Reader, job_sides, job_views
from jobdeck.wire.base import Page, instant
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Job
from jobdeck.wire.plans import JobClaim

STALLED_AFTER = 5 * 60.0
"""Seconds without progress after which a job whose worker is alive is said to stall."""


@dataclass(frozen=True, slots=True)
class ClaimState:
    """A resource that a job claims: whether the job holds it (`held`), could (`free`), and which others hold it."""

    resource: str
    own: bool
    """Of the job's project; else all projects share it."""
    units: int
    exclusive: bool
    held: bool
    free: bool
    capacity: int | None
    used: int
    holders: tuple[int, ...]
    """Ids of other jobs that the caller may see, at most 20."""

    @property
    def is_limited(self) -> bool:
        """Whether it can keep a job from starting at all."""
        return self.exclusive or self.capacity is not None or not (self.held or self.free)

    @property
    def rank(self) -> int:
        """Where it stands among others: those in the way first, then those with a limit."""
        return 2 * (self.held or self.free) + (not self.is_limited)

    def view(self) -> JobClaim:
        """As the API shows it."""
        return JobClaim(
            resource=self.resource,
            units=self.units,
            mode="exclusive" if self.exclusive else "shared",
            free=self.free,
            capacity=self.capacity,
            used=self.used,
            holders=list(self.holders),
            held=self.held,
            own=self.own,
        )


@dataclass(frozen=True, slots=True)
class JobExtras:
    """What is known of a job besides what every surface shows of it."""

    token: str | None
    configuration: str | None
    configuration_version: int | None
    host: str | None
    on_child_failure: str
    not_before: datetime | None
    resume_at: datetime | None
    state_since: datetime
    quiet_seconds: float | None
    """Of a job at work: seconds since its last progress."""
    losses: int
    restarting: bool
    """It is being stopped to run from its first step."""
    has_children: bool
    now: datetime

    @property
    def stalled(self) -> bool:
        return self.quiet_seconds is not None and self.quiet_seconds >= STALLED_AFTER


class JobSides:
    """The use cases around one job that only people have."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def of(self, caller: Caller, job_id: int) -> JobExtras:
        """Where the job comes from, and how it stands; raises NotFound."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            row = await _row(connection, job_id)
            origin = await job_sides.origin(connection, row)
            now = await self._core.database.clock.now(connection)
        return JobExtras(
            token=origin.token,
            configuration=origin.configuration,
            configuration_version=row["configuration_version"],
            host=origin.host,
            on_child_failure=row["on_child_failure"],
            not_before=_maybe(row["not_before"]),
            resume_at=_maybe(row["resume_at"]),
            state_since=instant(row["state_since"]),
            quiet_seconds=_quiet(row, now),
            losses=row["losses"],
            restarting=row["intent"] == Intent.RESTART,
            has_children=bool(row["has_children"]),
            now=instant(now),
        )

    async def claims(self, caller: Caller, job_id: int) -> list[ClaimState]:
        """What the job claims, as things are now: those in the way first, then those with a limit."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            row = await _row(connection, job_id)
            now = await self._core.database.clock.now(connection)
            installation = self._core.installation
            world = await snapshot(connection, now, installation.project_limit, installation.worker_silence)
            wanted = leases.claims_of(row["claims"])
        states = [_claim(claim, world, caller.project, job_id) for claim in wanted]
        return sorted(states, key=lambda c: (c.rank, c.resource))

    async def claims_page(self, caller: Caller, job_id: int, cursor: str | None, limit: int) -> Page[JobClaim]:
        """The same, page by page; one that changes its place between two pages may be left out or come twice."""
        kind = f"claims:{job_id}"
        start = max(0, cursors.number(cursor, kind) or 0)
        found = await self.claims(caller, job_id)
        last = cursors.encode(kind, start + limit) if len(found) > start + limit else None
        return Page[JobClaim](items=[claim.view() for claim in found[start : start + limit]], next=last)

    async def events(
        self, caller: Caller, job_id: int, *, before: int | None = None, kinds: Sequence[str] = (), limit: int = 50
    ) -> Page[Event]:
        """What happened to the job, newest first; `next` is the `before` of the following page."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            found = await job_sides.newest_events(connection, job_id, before, kinds, limit + 1)
            names = await scope.names(connection)
        more, found = len(found) > limit, found[:limit]
        items = [event(e, names.get(e.project_id or 0)) for e in found]
        return Page[Event](items=items, next=str(found[-1].id) if more else None)

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
            return await job_sides.children_counts(connection, visible)


async def _row(connection: Reader, job_id: int) -> JobRow:
    row = await job_views.get(connection, job_id)
    if row is None:
        raise no_such_job(job_id)
    return row


def _claim(claim: Claim, world: Snapshot, viewer: str | None, job_id: int) -> ClaimState:
    holding, capacity = world.holding(claim.resource), world.capacity(claim.resource)
    told = world.told(claim.resource, viewer)
    return ClaimState(
        resource=local_name(claim.resource),
        own=not is_shared(claim.resource),
        units=claim.units,
        exclusive=claim.mode is Mode.EXCLUSIVE,
        held=job_id in holding.units,
        free=fits(claim, holding, capacity),
        capacity=told.capacity,
        used=told.used,
        holders=tuple([job for job in told.holders if job != job_id][:SHOWN_HOLDERS]),
    )


def _quiet(row: JobRow, now: int) -> float | None:
    if State(row["state"]) not in ALIVE:
        return None
    since = max(int(row["progress_at"] or 0), int(row["state_since"]))
    return max(0, now - since) / 1_000_000


def _maybe(micros: int | None) -> datetime | None:
    return None if micros is None else instant(micros)
