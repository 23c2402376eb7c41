"""What is recorded about one job, and how it stands: steps, attempts, events, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobdeck.access.caller import Caller
from jobdeck.core.life.operations import Intent
from jobdeck.core.life.states import ALIVE, State
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.services.jobs.presenter import attempt_view, event_view, step_view
from jobdeck.services.jobs.queries import MAX_LIMIT
from jobdeck.store.projects import names_by_id
from jobdeck.store.sql import events
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.views import JobRow, job_views
from jobdeck.wire.base import Page, instant, instant_or_none
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import Attempt
from jobdeck.wire.steps import Step

MAX_TASKS = 1000
"""Tasks shown of one step, at most; `task_count` says how many there are."""
MOST_STEPS = 2**31 - 1
STALLED_AFTER = 5 * 60.0
"""Seconds without progress after which a job whose worker is alive is said to stall."""


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


class JobDetails:
    """The use cases around one job."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def extras(self, caller: Caller, job_id: int) -> JobExtras:
        """Where the job comes from, and how it stands; raises NotFound."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            origin = await job_views.origin(connection, row)
            now = await self._core.database.clock.now(connection)
        return JobExtras(
            token=origin.token,
            configuration=origin.configuration,
            configuration_version=row["configuration_version"],
            host=origin.host,
            on_child_failure=row["on_child_failure"],
            not_before=instant_or_none(row["not_before"]),
            resume_at=instant_or_none(row["resume_at"]),
            state_since=instant(row["state_since"]),
            quiet_seconds=_quiet(row, now),
            losses=row["losses"],
            restarting=row["intent"] == Intent.RESTART,
            has_children=bool(row["has_children"]),
            now=instant(now),
        )

    async def steps(
        self,
        caller: Caller,
        job_id: int,
        attempt: int | None = None,
        *,
        tasks: int = MAX_TASKS,
        cursor: str | None = None,
        limit: int = MAX_LIMIT,
    ) -> Page[Step]:
        """The steps of an attempt (default: the present one) that have begun, with the first `tasks` tasks of each."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            chosen = attempt or int(row["attempt"])
            kind = f"steps:{job_id}:{chosen}"
            after = cursors.number(cursor, kind)
            start = -1 if after is None else min(after, MOST_STEPS)
            found = await job_views.steps_of(connection, job_id, chosen, tasks, max(-1, start), limit + 1)
            now = await self._core.database.clock.now(connection)
        last = cursors.following(kind, found, limit, lambda one: one.step["index"])
        return Page[Step](items=[step_view(rows, now) for rows in found[:limit]], next=last)

    async def attempts(self, caller: Caller, job_id: int, cursor: str | None, limit: int) -> Page[Attempt]:
        """The runs of the job from its first step, first to last."""
        await self._jobs.require_visible(caller, job_id)
        kind = f"attempts:{job_id}"
        after = min(cursors.number(cursor, kind) or 0, MOST_STEPS)
        async with self._core.database.read() as connection:
            rows = await job_views.attempts_of(connection, job_id, after, limit + 1)
        last = cursors.encode(kind, rows[limit - 1]["attempt"]) if len(rows) > limit else None
        return Page[Attempt](items=[attempt_view(row) for row in rows[:limit]], next=last)

    async def events(self, caller: Caller, job_id: int, after: int, limit: int) -> Page[Event]:
        """What happened to the job, oldest first, after the event `after`; `next` is the `after` of the next page."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            found = await events.read_after(connection, after, limit + 1, job=job_id)
            return _event_page(found, limit, await names_by_id(connection))

    async def newest_events(
        self, caller: Caller, job_id: int, *, before: int | None = None, kinds: Sequence[str] = (), limit: int = 50
    ) -> Page[Event]:
        """What happened to the job, newest first; `next` is the `before` of the following page."""
        await self._jobs.require_visible(caller, job_id)
        async with self._core.database.read() as connection:
            found = await job_views.newest_events(connection, job_id, before, kinds, limit + 1)
            return _event_page(found, limit, await names_by_id(connection))


def _event_page(found: Sequence[StoredEvent], limit: int, projects: Mapping[int, str]) -> Page[Event]:
    items = [event_view(event, projects.get(event.project_id or 0)) for event in found[:limit]]
    return Page[Event](items=items, next=str(items[-1].id) if len(found) > limit else None)


def _quiet(row: JobRow, now: int) -> float | None:
    if State(row["state"]) not in ALIVE:
        return None
    since = max(int(row["progress_at"] or 0), int(row["state_since"]))
    return max(0, now - since) / 1_000_000
