"""A job as everyone sees it, made from its row and from what a page needs beside the rows; and what is recorded of it,
each row as people see it: events, attempts, steps, tasks, objects, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from jobdeck.access.caller import PERMISSION_OF_OPERATION, Caller, Permission
from jobdeck.core.jobtype import JobType, credits_of
from jobdeck.core.life import progress, waiting
from jobdeck.core.life.operations import Operation, Subject, is_already, is_offered, why_not
from jobdeck.core.life.states import ALIVE, STEP_ENDED, State, StepState
from jobdeck.core.registry import TypeRegistry
from jobdeck.engine.feed import FeedItem
from jobdeck.engine.scheduling.world import explain
from jobdeck.services.jobs.unshown import stored_value, unshown
from jobdeck.services.masking import Masker
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.views import JobRow, Reader, job_views
from jobdeck.store.views.job_views import LineageRow, StepRows
from jobdeck.wire.base import instant, instant_or_none
from jobdeck.wire.events import Event
from jobdeck.wire.jobs import ActionView, Attempt, ErrorView, Job, ProgressView, RetryView, TouchedObject, WaitReason
from jobdeck.wire.steps import Step, Task

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Beside:
    """What is shown of jobs beside what is in their rows, by job."""

    waits: Mapping[int, Sequence[waiting.WaitingFor]] = field(default_factory=dict)
    touched: Mapping[int, Sequence[job_views.LineageRow]] = field(default_factory=dict)
    unfinished: Mapping[int, int] = field(default_factory=dict)
    actions: dict[Subject, dict[str, ActionView]] = field(default_factory=dict)
    """What can be done, by what it depends on: most jobs of a page are alike."""


class Presenter:
    """Turns rows into jobs for one caller at a time."""

    def __init__(self, registry: TypeRegistry, project_limit: int | None, worker_silence: float) -> None:
        self._registry = registry
        self._project_limit = project_limit
        self._worker_silence = worker_silence
        self._masker = Masker(registry)

    async def jobs(
        self, connection: Reader, rows: Sequence[JobRow], caller: Caller, now: int, fields: set[str] | None = None
    ) -> list[Job]:
        """The jobs of `rows`, in order; what `fields` does not need is not looked up."""
        moved = _wants(fields, "inputs", "outputs", "credits")
        beside = Beside(
            waits=await self._waits(connection, rows, caller, now) if _wants(fields, "wait") else {},
            touched=await job_views.lineage_of(connection, rows) if moved else {},
            unfinished=await job_views.unfinished_children(connection, rows) if _wants(fields, "actions") else {},
        )
        return [self._shown(row, beside, caller, now) for row in rows]

    async def _waits(
        self, connection: Reader, rows: Sequence[JobRow], caller: Caller, now: int
    ) -> Mapping[int, Sequence[waiting.WaitingFor]]:
        """Why the pending ones wait, in words that tell the caller nothing of projects that it may not see."""
        pending = [row for row in rows if row["state"] == State.PENDING]
        silence = self._worker_silence
        if not pending:
            return {}
        waits = await explain(connection, pending, now, self._project_limit, silence, caller.project)
        return {row["id"]: [self._told(row["type"], reason) for reason in waits.get(row["id"], ())] for row in pending}

    def _told(self, type_: str, reason: waiting.WaitingFor) -> waiting.WaitingFor:
        """Nobody can run a type that could not be loaded: another worker would not help."""
        broken = self._registry.find_broken(type_) if reason.reason is waiting.Reason.NO_WORKER else None
        if broken is None:
            return reason
        return replace(reason, text=f"The job type '{type_}' could not be loaded: {broken.reason}")

    def _shown(self, row: JobRow, beside: Beside, caller: Caller, now: int) -> Job:
        try:
            return self._job(row, beside, caller, now)
        except Exception as error:
            log.exception("job_not_shown", job=row["id"])
            return unshown(row, error)

    def _job(self, row: JobRow, beside: Beside, caller: Caller, now: int) -> Job:
        omitted = [name for name in ("params", "result") if row[name] == ""]
        touched = beside.touched.get(row["id"], ())
        running_seconds = _spent(row, "running_us", ALIVE, now)
        return Job(
            **{name: row[name] for name in _AS_IT_IS},
            params=self._masker.mask(row["type"], json.loads(row["params"])) if row["params"] else {},
            tags=json.loads(row["tags"]),
            parent=row["parent_id"],
            configuration=row["configuration_id"],
            progress=_progress(row, now),
            wait=[wait_view(reason) for reason in beside.waits.get(row["id"], ())],
            error=error_view(row, traceback=caller.may(Permission.JOB_OPERATE)),
            retry=_retry(row),
            created_by=row["created_by_name"],
            created_at=instant(row["created_at"]),
            started_at=instant_or_none(row["started_at"]),
            ended_at=instant_or_none(row["ended_at"]),
            queued_seconds=_spent(row, "queued_us", frozenset({State.PENDING}), now),
            running_seconds=running_seconds,
            paused_seconds=_spent(row, "paused_us", frozenset({State.PAUSED}), now),
            credits=self._credits(row["type"], running_seconds, touched),
            inputs=[object_view(t) for t in touched if t.direction == "input"],
            outputs=[object_view(t) for t in touched if t.direction == "output"],
            result=stored_value(row["result"]) if row["result"] else None,
            actions=_actions(row, beside, caller),
            omitted=omitted,
        )

    def _credits(self, type_: str, running_seconds: float, touched: Sequence[job_views.LineageRow]) -> float:
        """By the rates of its type; of a type that is gone, by those that types have unless they say otherwise."""
        registered = self._registry.find(type_)
        rates = registered.job_type if registered is not None else JobType
        moved = max((t.moved for t in touched), default=0)
        return credits_of(running_seconds, moved, per_hour=rates.credits_per_hour, per_gb=rates.credits_per_gb)


_HAS_RATE = (State.RUNNING, State.PAUSING, State.SUCCEEDED)
"""States in which a rate tells how fast it is or was; of what was broken off, it would be that of a part."""
_AS_IT_IS = (
    "id", "run_id", "project", "type", "category", "state", "description", "subject", "priority", "attempt", "warnings",
    "cause", "worker", "reason", "copied_from",
)  # fmt: skip


def _wants(fields: set[str] | None, *names: str) -> bool:
    return fields is None or not fields.isdisjoint(names)


def _spent(row: JobRow, column: str, states: frozenset[State], now: int) -> float:
    """Seconds booked, and those in the present state where it is one of `states`."""
    present = max(0, now - row["state_since"]) if row["state"] in states else 0
    return (int(row[column]) + present) / 1_000_000


def _progress(row: JobRow, now: int) -> ProgressView:
    running = row["state"] == State.RUNNING
    seconds = _spent(row, "running_us", ALIVE, now)
    return ProgressView(
        fraction=row["fraction"],
        done=row["done"],
        total=row["total"],
        unit=row["unit"],
        rate=progress.rate(row["done"], seconds) if row["state"] in _HAS_RATE else None,
        eta=instant_or_none(progress.eta(now, row["fraction"], seconds)) if running else None,
    )


def wait_view(reason: waiting.WaitingFor) -> WaitReason:
    """A wait reason as people see it."""
    return WaitReason(
        reason=reason.reason,
        text=reason.text,
        resource=reason.resource,
        capacity=reason.capacity,
        holders=list(reason.holders),
        until=instant_or_none(reason.until),
        number=reason.number,
    )


def _retry(row: JobRow) -> RetryView | None:
    """The try that a pending job waits for."""
    if not row["retry"] or row["state"] != State.PENDING:
        return None
    return RetryView(**json.loads(row["retry"]), at=instant_or_none(row["not_before"]))


def _actions(row: JobRow, beside: Beside, caller: Caller) -> dict[str, ActionView]:
    unfinished = beside.unfinished.get(row["id"], 0)
    # No answer depends on the id.
    subject = Subject(0, State(row["state"]), row["leased"], row["dirty_since"] > 0, unfinished, row["last_operation"])
    if subject not in beside.actions:
        beside.actions[subject] = {str(operation): _action(operation, subject, caller) for operation in Operation}
    return beside.actions[subject]


def _action(operation: Operation, subject: Subject, caller: Caller) -> ActionView:
    forbidden = caller.why_not(PERMISSION_OF_OPERATION[operation])
    if forbidden is not None:
        return ActionView(allowed=False, why=forbidden)
    if is_offered(operation, subject):
        return ActionView(allowed=True)
    if is_already(operation, subject):
        return ActionView(allowed=False, why=f"it is {subject.state} already")
    return ActionView(allowed=False, why=why_not(operation, subject))


def event_view(found: StoredEvent | FeedItem, project: str | None) -> Event:
    """An event, of the project of this name."""
    return Event(
        id=found.id or 0,
        at=instant(found.at),
        kind=found.kind,
        project=project,
        job=found.job_id,
        actor=found.actor,
        principal=found.principal_id,
        token=found.token_id,
        data=dict(found.data),
    )


def attempt_view(row: JobRow) -> Attempt:
    """An attempt."""
    return Attempt(
        attempt=row["attempt"],
        state=State(row["state"]),
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        error=ErrorView(code=row["error_code"], message=row["error_message"] or "") if row["error_code"] else None,
        worker=row["worker"],
    )


def step_view(rows: StepRows, now: int) -> Step:
    """A step with its first tasks, as it stands at `now` (µs)."""
    row = rows.step
    state = StepState(row["state"])
    fraction = 1.0 if state is StepState.SUCCEEDED else _fraction(rows)
    seconds = ((row["ended_at"] or now) - row["started_at"]) / 1_000_000 if row["started_at"] else 0.0
    return Step(
        index=row["index"],
        name=row["name"],
        state=state,
        attempt=row["attempt"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        progress=ProgressView(
            fraction=fraction,
            done=rows.done,
            total=rows.total,
            unit=rows.unit,
            rate=progress.rate(rows.done, seconds) if state in (StepState.RUNNING, StepState.SUCCEEDED) else None,
            eta=instant_or_none(progress.eta(now, fraction, seconds)) if state is StepState.RUNNING else None,
        ),
        error=error_view(row),
        tasks=[task_view(task) for task in rows.tasks],
        task_count=rows.task_count,
    )


def _fraction(rows: StepRows) -> float:
    """By units where their total is known, else by tasks that succeeded."""
    if rows.total:
        return progress.fraction_of(rows.done, rows.total)
    return progress.fraction_of(rows.ended, rows.task_count)


def task_view(row: JobRow, *, traceback: bool = False) -> Task:
    """A task; with its `traceback` for those who may see that, where the row has it."""
    return Task(
        index=row["index"],
        key=row["key"],
        state=StepState(row["state"]),
        host=row["host"],
        attempts=row["attempts"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        rows=row["rows"],
        bytes=row["bytes"],
        error=error_view(row, traceback=traceback) if row["state"] not in STEP_ENDED else None,
        done=row["done"],
        total=row["total"],
        unit=row["unit"] or "",
    )


def object_view(touched: LineageRow) -> TouchedObject:
    """An object that a job read or wrote."""
    return TouchedObject(
        object=touched.object, name=touched.name, version=touched.version, rows=touched.rows, bytes=touched.bytes
    )


def error_view(row: JobRow, *, traceback: bool = False) -> ErrorView | None:
    """The error in a row, None where there is none; what the row does not have of it is left out."""
    if row["error_code"] is None:
        return None
    return ErrorView(
        code=row["error_code"],
        message=row["error_message"] or "",
        hint=row["error_hint"],
        fingerprint=row.get("error_fingerprint"),
        traceback=row.get("error_traceback") if traceback else None,
    )
