"""What people and programs ask of lists of jobs, and its translation into what the store understands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from jobdeck.access.caller import Caller
from jobdeck.core.errors import InvalidInput
from jobdeck.core.life.states import State
from jobdeck.core.output.nearest import nearest
from jobdeck.services import cursors, scope
from jobdeck.store.views import Reader, worker_views
from jobdeck.store.views.job_lists import SORTS, JobFilter, Position, Sort
from jobdeck.wire.base import MAX_ID, AskedId, Digits, Instant, micros, storable
from jobdeck.wire.jobs import Job, Priority

MAX_LIMIT = 500
MAX_SEARCH = 1000
"""Characters of a search: people paste whole messages."""
DEFAULT_LIMIT = 50
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_LENGTH = re.compile(r"([0-9.]+)(ms|s|m|h|d|)")
_MICROS = {"ms": 1000, "": 1_000_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


def _split(value: Any) -> Any:
    """`a,b` and repeated parameters both mean several values; in a body, one value may stand without a list."""
    if isinstance(value, str | int):
        value = [value]
    if isinstance(value, list):
        return [part for item in value for part in (item.split(",") if isinstance(item, str) else [item]) if part != ""]
    return value


def _span_or_instant(value: str) -> str:
    if not _SPAN.fullmatch(value):
        moment(value, 0)
    return value


Word = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(storable)]
Words = Annotated[list[Word], BeforeValidator(_split), Field(max_length=100)]
When = Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_span_or_instant)]
Length = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?(ms|s|m|h|d)?$")]
"""A length of time; seconds where there is no unit."""
SortBy = Literal[
    "created_at", "-created_at", "started_at", "-started_at", "ended_at", "-ended_at",
    "duration", "-duration", "priority", "-priority", "state", "-state", "type", "-type",
]  # fmt: skip


class JobConditions(BaseModel):
    """The filters of lists and counts. Several values of one filter mean any of them; several filters mean all."""

    model_config = ConfigDict(extra="forbid")

    project: Words = Field(default=[], description="Names of projects.")
    state: Annotated[list[State], BeforeValidator(_split), Field(max_length=100)] = []
    type: Words = []
    category: Words = []
    subject: Word | None = None
    created_by: Word | None = None
    token: AskedId | None = None
    configuration: AskedId | None = None
    parent: AskedId | None = None
    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)*$", max_length=500)] | None = Field(
        default=None, description="A run id, and all that run below it."
    )
    priority: Annotated[list[Priority], BeforeValidator(_split), Field(max_length=10)] = []
    error: Word | None = Field(default=None, description="An error code or a fingerprint.")
    tag: Words = []
    worker: Words = Field(default=[], description="Names or ids of workers that had the job last.")
    host: Words = Field(default=[], description="Hosts of workers that had the job last.")
    q: Annotated[str, StringConstraints(max_length=MAX_SEARCH), AfterValidator(storable)] | None = Field(
        default=None,
        description="Words that are all found in the description, subject, type, command line, error, tags, creator, "
        'parameters, or what was read and written; `"…"` for several words as they stand; or an id or the beginning '
        "of a run id.",
    )
    since: When | None = Field(
        default=None, description="Created since: `30m`, `12h`, `3d`, `2w`, or a time (RFC 3339)."
    )
    until: When | None = Field(default=None, description="Created before.")
    started_since: When | None = None
    started_until: When | None = None
    ended_since: When | None = None
    ended_until: When | None = None
    min_duration: Length | None = Field(default=None, description="Ran for at least: `500ms`, `90s`, `5m`, `2h`, `1d`.")
    max_duration: Length | None = Field(default=None, description="Ran for less than this.")
    top_level: bool = Field(default=False, description="Only jobs without a parent.")


class JobQuery(JobConditions):
    """A page of a list of jobs."""

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
    found = [(await scope.project(connection, caller, name)).id for name in dict.fromkeys(asked.project)]
    visible = None if caller.project_id is None else (caller.project_id,)
    return JobFilter(
        project_ids=tuple(found) if found else visible,
        states=tuple(str(s) for s in dict.fromkeys(asked.state)),
        types=tuple(asked.type),
        categories=tuple(asked.category),
        subject=asked.subject,
        created_by=asked.created_by,
        token=asked.token,
        configuration=asked.configuration,
        parent=asked.parent,
        run_id=asked.run_id,
        priorities=tuple(asked.priority),
        error=asked.error,
        tags=tuple(asked.tag),
        q=asked.q,
        workers=await _workers(connection, asked),
        created=(moment(asked.since, now), moment(asked.until, now)),
        started=(moment(asked.started_since, now), moment(asked.started_until, now)),
        ended=(moment(asked.ended_since, now), moment(asked.ended_until, now)),
        duration=(_length(asked.min_duration), _length(asked.max_duration)),
        top_level=asked.top_level,
        at=now,
    )


async def _workers(connection: Reader, asked: JobConditions) -> tuple[str, ...] | None:
    """The names of the workers that are asked for, None where none are."""
    if not asked.worker and not asked.host:
        return None
    return await worker_views.names(connection, asked.worker, asked.host)


def _length(text: str | None) -> int | None:
    """µs of `90s`, `5m`, …"""
    if text is None:
        return None
    number, unit = _LENGTH.fullmatch(text).groups()  # type: ignore[union-attr]  # its model has checked it
    return min(MAX_ID, round(Decimal(number) * _MICROS[unit]))


def moment(text: str | None, now: int) -> int | None:
    """µs of `text`: so long before `now`, or a time."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return now - int(span[1]) * _UNITS[span[2]] * 1_000_000
    try:
        return micros(_INSTANT.validate_python(text))
    except ValidationError as error:
        raise ValueError("write 30m, 12h, 3d, 2w, or a time like 2026-11-20T07:34:00Z") from error
