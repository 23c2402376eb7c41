"""The timeline of a job, of a size that can be drawn however many tasks there are; and its tasks page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobdeck.access.caller import Caller, Permission
from jobdeck.core.errors import NotFound
from jobdeck.core.life.spans import Span, lanes_of, spans_of, within
from jobdeck.core.life.states import ENDED, State, StepState
from jobdeck.services import cursors
from jobdeck.services.core import Core
from jobdeck.services.jobs.jobs import Jobs
from jobdeck.services.jobs.presenter import attempt_view, task_view
from jobdeck.store.views import JobRow, Reader, job_views, timeline
from jobdeck.store.views.timeline import TaskFilter
from jobdeck.wire.base import MAX_ID, Page, instant, instant_or_none
from jobdeck.wire.steps import Task
from jobdeck.wire.timeline import Density, PlannedStep, SpanView, StepBar, TaskBar, TaskOverview, Timeline

FEW = 200
"""Tasks of a step that are shown one by one."""
MOST_STEPS = 500
MOST_BARS = 5000
"""Tasks of all steps together that are shown one by one."""
MOST_DENSITIES = 50
"""Steps whose many tasks are shown over time."""
PARTS = 120
"""Parts of the time of a step with many tasks."""
SINGLED_OUT = 5


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """Tasks of the step with this index, of `attempt` (None: the present one), in any of `states` (empty: in any)."""

    step: int
    attempt: int | None = None
    states: tuple[StepState, ...] = ()
    slowest_first: bool = False
    """Those that took longest first, instead of in order; of those that have begun."""
    cursor: str | None = None
    limit: int = 50


class Timelines:
    """The use cases of timelines."""

    def __init__(self, core: Core, jobs: Jobs) -> None:
        self._core = core
        self._jobs = jobs

    async def get(self, caller: Caller, job_id: int, attempt: int | None = None) -> Timeline:
        """The whole job, with the steps of one attempt (default: the present one); raises NotFound."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            now = await self._core.database.clock.now(connection)
            spans = spans_of(row["created_at"], await timeline.changes_of(connection, job_id))
            attempts = await job_views.attempts_of(connection, job_id)
            chosen = attempt or int(row["attempt"])
            drawing = _Drawing(connection, job_id, chosen, now)
            steps = await drawing.steps(spans)
            count = await timeline.step_count(connection, job_id, chosen)
        return Timeline(
            job=job_id,
            state=State(row["state"]),
            attempt=chosen,
            now=instant(now),
            start=instant(row["created_at"]),
            end=instant_or_none(row["ended_at"]) if row["state"] in ENDED else None,
            spans=[_span(span) for span in spans],
            attempts=[attempt_view(a) for a in attempts],
            steps=steps,
            step_count=count,
            planned=await self._planned(row, steps, count) if chosen == row["attempt"] else [],
        )

    async def _planned(self, row: JobRow, begun: Sequence[StepBar], count: int) -> list[PlannedStep]:
        """The steps behind those that have begun; none where the plan is another one than theirs."""
        registered = self._core.registry.find(row["type"])
        if registered is None or row["state"] == State.SUCCEEDED or count > len(begun):
            return []
        names = await self._core.plans.names(registered, row["id"], row["attempt"], row["params"], row["project"])
        if any(step.index >= len(names) or names[step.index] != step.name for step in begun):
            return []
        after = begun[-1].index + 1 if begun else 0
        return [PlannedStep(index=index, name=names[index]) for index in range(after, min(len(names), MOST_STEPS))]

    async def tasks(self, caller: Caller, job_id: int, query: TaskQuery) -> Page[Task]:
        """A page of a step's tasks, with the tracebacks of those that failed for who may operate the job; raises
        NotFound."""
        async with self._core.database.read() as connection:
            row = await self._jobs.visible_row(connection, caller, job_id)
            chosen, step, limit = query.attempt or int(row["attempt"]), query.step, query.limit
            if not await timeline.has_step(connection, job_id, chosen, step):
                raise NotFound(f"Attempt {chosen} of job {job_id} has no step {step} yet.", field="index")
            where = TaskFilter(job_id, chosen, step, tuple(s.value for s in dict.fromkeys(query.states)))
            now = await self._core.database.clock.now(connection)
            traceback = caller.may(Permission.JOB_OPERATE)
            if query.slowest_first:
                return await _slowest_page(connection, where, now, query, traceback)
            kind = f"tasks:{job_id}:{chosen}:{step}"
            after = cursors.number(query.cursor, kind)
            found = await timeline.page_of_tasks(connection, where, -1 if after is None else after, limit + 1)
        last = cursors.following(kind, found, limit, lambda one: one["index"])
        return Page[Task](items=[task_view(r, traceback=traceback) for r in found[:limit]], next=last)


async def _slowest_page(
    connection: Reader, where: TaskFilter, now: int, query: TaskQuery, traceback: bool
) -> Page[Task]:
    """Running tasks take longer while one turns pages: the time of the first page is kept in the cursor."""
    kind = f"slowest:{where.job}:{where.attempt}:{where.step}"
    took, index, asked_at = cursors.decode(query.cursor, kind, int, int, int) if query.cursor else (MAX_ID, MAX_ID, now)
    found = await timeline.slowest(connection, where, asked_at, (took, index), query.limit + 1)
    more, found = len(found) > query.limit, found[: query.limit]
    last = cursors.encode(kind, int(found[-1]["took"]), found[-1]["index"], asked_at) if more else None
    return Page[Task](items=[task_view(row, traceback=traceback) for row in found], next=last)


class _Drawing:
    """Gathers the steps of one attempt."""

    def __init__(self, connection: Reader, job: int, attempt: int, now: int) -> None:
        self._connection, self._job, self._attempt, self._now = connection, job, attempt, now
        self._bars = self._densities = 0

    async def steps(self, spans: Sequence[Span]) -> list[StepBar]:
        rows = await timeline.steps_of(self._connection, self._job, self._attempt, -1, MOST_STEPS)
        last = rows[-1]["index"] if rows else -1
        counts = await timeline.counts_of(self._connection, self._job, self._attempt, last)
        few = [row["index"] for row in rows if self._fits(sum(counts.get(row["index"], {}).values()))]
        singly = await timeline.tasks_of(self._connection, self._job, self._attempt, few)
        return [
            StepBar(
                index=row["index"],
                name=row["name"],
                state=StepState(row["state"]),
                weight=row["weight"],
                start=instant_or_none(row["started_at"]),
                end=instant_or_none(_end(row)),
                spans=[_span(s) for s in within(spans, row["started_at"], _end(row), self._attempt)],
                tasks=await self._tasks(row, counts.get(row["index"], {}), singly.get(row["index"])),
            )
            for row in rows
        ]

    def _fits(self, count: int) -> bool:
        if count > FEW or self._bars + count > MOST_BARS:
            return False
        self._bars += count
        return True

    async def _tasks(self, step: JobRow, counts: dict[str, int], singly: Sequence[JobRow] | None) -> TaskOverview:
        count = sum(counts.values())
        by_state = {StepState(state): number for state, number in counts.items()}
        if singly is not None or not count:
            items = self._packed([row for row in singly or () if row["started_at"] is not None])
            return TaskOverview(
                count=count,
                counts=by_state,
                lanes=max((bar.lane + 1 for bar in items), default=0),
                items=items,
                slowest=sorted(items, key=lambda bar: -bar.seconds)[:SINGLED_OUT],
                failed=[bar for bar in items if bar.state is StepState.FAILED][:SINGLED_OUT],
            )
        self._densities += 1
        if self._densities > MOST_DENSITIES:
            return TaskOverview(count=count, counts=by_state)
        where = TaskFilter(self._job, self._attempt, step["index"])
        failed = TaskFilter(self._job, self._attempt, step["index"], (StepState.FAILED.value,))
        slowest = await timeline.slowest(self._connection, where, self._now, None, SINGLED_OUT)
        return TaskOverview(
            count=count,
            counts=by_state,
            density=await self._density(step, where),
            slowest=[self._bar(row) for row in slowest],
            failed=[self._bar(r) for r in await timeline.page_of_tasks(self._connection, failed, -1, SINGLED_OUT)],
        )

    def _packed(self, rows: Sequence[JobRow]) -> list[TaskBar]:
        ends = [self._until(row) for row in rows]
        lanes = lanes_of([(row["started_at"], end) for row, end in zip(rows, ends, strict=True)])
        return [self._bar(row, lane) for row, lane in zip(rows, lanes, strict=True)]

    def _bar(self, row: JobRow, lane: int = 0) -> TaskBar:
        started = row["started_at"]
        return TaskBar(
            index=row["index"],
            key=row["key"],
            state=StepState(row["state"]),
            lane=lane,
            start=instant_or_none(started),
            end=instant_or_none(row["ended_at"]),
            seconds=0.0 if started is None else (self._until(row) - started) / 1_000_000,
            attempts=row["attempts"],
            host=row["host"],
            error_code=row["error_code"],
            error_message=row["error_message"],
        )

    def _until(self, row: JobRow) -> int:
        """When the task ended; one that was stopped, and is to go on, has shown no time but its start."""
        if row["state"] == StepState.RUNNING:
            return max(self._now, int(row["started_at"]))
        return max(int(row["ended_at"] or 0), int(row["started_at"]))

    async def _density(self, step: JobRow, where: TaskFilter) -> Density:
        begin = int(step["started_at"])
        end = max(_end(step) or self._now, begin + 1)
        width = -(-(end - begin) // PARTS)
        sums = [[0, 0, 0] for _ in range(PARTS)]
        for number, counts in (await timeline.density(self._connection, where, begin, width)).items():
            place = sums[min(max(number, 0), PARTS - 1)]
            place[:] = [had + more for had, more in zip(place, counts, strict=True)]
        running, at_work = [], 0
        for began, gone, _ in sums:
            running.append(at_work + began)
            at_work = max(0, at_work + began - gone)
        return Density(
            start=instant(begin),
            bucket_seconds=width / 1_000_000,
            running=running,
            ended=[gone for _, gone, _ in sums],
            failed=[failed for _, _, failed in sums],
        )


def _end(step: JobRow) -> int | None:
    """A step that was opened again has the end of its last time until it ends anew."""
    return None if step["state"] == StepState.RUNNING else step["ended_at"]


def _span(span: Span) -> SpanView:
    return SpanView(
        kind=span.kind,
        start=instant_or_none(span.start),
        end=instant_or_none(span.end),
        attempt=span.attempt,
        because=span.because,
    )
