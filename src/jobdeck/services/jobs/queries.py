"""What people and programs ask of lists of jobs, and its translation into what the store understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from jobdeck.access.caller import Caller, visible_project
from jobdeck.core.errors import InvalidInput
from jobdeck.core.filters.jobs import FILTERS
from jobdeck.core.filters.rules import Between, Parameter
from jobdeck.core.output.nearest import nearest
from jobdeck.services import cursors
from jobdeck.store.views import Reader, worker_views
from jobdeck.store.views.job_lists import SORTS, JobFilter, Position, Sort
from jobdeck.wire.base import Digits
from jobdeck.wire.job_filters import JobConditions, When, Words, length, moment
from jobdeck.wire.jobs import Job

__all__ = [
    "DEFAULT_LIMIT", "MAX_LIMIT", "JobConditions", "JobQuery", "SortBy", "When", "Words", "moment", "to_filter",
    "wanted_fields",
]  # fmt: skip

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
SortBy = Literal[
    "created_at", "-created_at", "started_at", "-started_at", "ended_at", "-ended_at",
    "duration", "-duration", "priority", "-priority", "state", "-state", "type", "-type",
]  # fmt: skip


class JobQuery(JobConditions):
    """A page of a list of jobs."""

    if TYPE_CHECKING:

        def __init__(self, **given: Any) -> None: ...

    sort: SortBy = Field(default="-created_at", description="A field; with `-` in front, the largest first.")
    limit: Digits = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)] | None = Field(
        default=None, description="`next` of the page before."
    )
    fields: Words = Field(default=[], description="Only these fields of each job; `id` always is there.")

    def order(self) -> Sort:
        return Sort(self.sort.lstrip("-"), self.sort.startswith("-"))

    def position(self) -> Position | None:
        """Where the page before ended; raises InvalidInput for a cursor of another order."""
        if self.cursor is None:
            return None
        value, job = cursors.decode(self.cursor, f"jobs:{self.sort}", SORTS[self.order().by], int)
        return Position(value, job)

    def cursor_at(self, position: Position) -> str:
        return cursors.encode(f"jobs:{self.sort}", position.value, position.id)


def wanted_fields(fields: Sequence[str]) -> set[str] | None:
    """The fields asked for, None for all; raises InvalidInput for one that jobs do not have."""
    unknown = [name for name in fields if name not in Job.model_fields]
    if unknown:
        hint = f"{nearest(unknown[0], Job.model_fields)}There are: {', '.join(Job.model_fields)}."
        raise InvalidInput(f"Jobs have no field '{unknown[0]}'.", field="fields", hint=hint)
    return {"id", *fields} if fields else None


async def to_filter(connection: Reader, caller: Caller, asked: JobConditions, now: int) -> JobFilter:
    """The filter for the store; `now` µs. Raises NotFound for a project that the caller cannot see."""
    values = {f.key: [_value(p, asked, now) for p in f.parameters] for f in FILTERS}
    given: dict[str, Any] = {
        f.key: (*values[f.key], None)[:2] if isinstance(f.rule, Between) else values[f.key][0] for f in FILTERS
    }
    given["project"] = await _projects(connection, caller, asked.project)
    if asked.worker:
        given["worker"] = await worker_views.names(connection, asked.worker, ())
    if asked.host:
        given["host"] = await worker_views.names(connection, (), asked.host)
    return JobFilter(at=now, **given)


def _value(parameter: Parameter, asked: JobConditions, now: int) -> Any:
    """A value as the store compares it, None where nothing was asked for."""
    value = getattr(asked, parameter.name)
    match parameter.kind:
        case "moment":
            return moment(value, now)
        case "length":
            return length(value)
        case "state":
            return tuple(str(state) for state in dict.fromkeys(value)) or None
    return (tuple(value) or None) if parameter.many else value


async def _projects(connection: Reader, caller: Caller, names: Sequence[str]) -> tuple[int, ...] | None:
    """The ids of the projects that are asked for, or else may be seen; None for all."""
    if names:
        return tuple([(await visible_project(connection, caller, name)).id for name in dict.fromkeys(names)])
    return None if caller.project_id is None else (caller.project_id,)
