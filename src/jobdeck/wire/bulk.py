"""Requests and answers about operations on selections of jobs."""

from __future__ import annotations

from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import Field, model_validator

from jobdeck.core.life.bulk import BulkOperation, Outcome
from jobdeck.wire.base import Id, Instant, Request, Response, Text
from jobdeck.wire.jobs import Priority

F = TypeVar("F")
BulkOutcome = Literal["waiting", "done", "skipped", "failed", "untouched"]


class BulkSelect(Request, Generic[F]):
    """Which jobs: those with these ids, or all that match the filter now."""

    ids: list[Id] | None = Field(default=None, min_length=1)
    filter: F | None = Field(
        default=None, description="Names and values as of lists of jobs; `{}` are all jobs that the token sees."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        return self


class BulkRequest(Request, Generic[F]):
    """An operation on a selection of jobs, to be looked at before it is run."""

    operation: BulkOperation
    select: BulkSelect[F]
    reason: Text | None = None
    resume_at: Instant | None = Field(default=None, description="Of `pause`: when they are to resume by themselves.")
    priority: Priority | None = Field(default=None, description="Of `priority`: the new one.")
    children: bool = Field(
        default=False,
        description="Of `delete`: also the children of those jobs that are not among them; without, such jobs are "
        "left out.",
    )

    @model_validator(mode="after")
    def _only_what_it_takes(self) -> Self:
        if (self.operation is BulkOperation.PRIORITY) != (self.priority is not None):
            raise ValueError("priority belongs to the operation priority, which needs it")
        if self.resume_at is not None and self.operation is not BulkOperation.PAUSE:
            raise ValueError("resume_at belongs to the operation pause")
        if self.children and self.operation is not BulkOperation.DELETE:
            raise ValueError("children belongs to the operation delete")
        return self


class BulkRunRequest(Request):
    """Carry out a plan."""

    token: str = Field(max_length=200, description="That of the preview.", repr=False)


class BulkGroup(Response):
    """Jobs that are left out for one reason."""

    reason: str = Field(
        description="`state`, `children` (some have not ended), `takes_children` (they would be deleted, too), "
        "`already`, `not_found`, `permission` (lost since) or `error` (its failure)."
    )
    text: str = Field(description="The end of a sentence about one of them.")
    count: int
    examples: list[int] = Field(default_factory=list, description="Ids of some of them.")


class BulkAccount(BulkGroup):
    """Jobs that were skipped or failed for one reason."""

    outcome: Outcome


class Bulk(Response):
    """An operation on a selection of jobs: what the preview found, and how far it is."""

    id: int
    state: str = Field(description="`planned`, `running`, `finished`, `stopped`, or `expired`: planned and never run.")
    operation: BulkOperation
    priority: int | None = None
    reason: str | None = None
    resume_at: Instant | None = None
    selection: dict[str, Any] = Field(
        default_factory=dict, description="The `filter` as it was sent, or in `ids` how many were sent."
    )
    created_by: str
    project: str | None = Field(
        default=None, description="Of the token that made it; null for a token of all projects."
    )
    created_at: Instant
    expires_at: Instant = Field(description="Until when the plan can be run.")
    started_at: Instant | None = None
    ended_at: Instant | None = None
    with_children: bool = Field(default=False, description="Of `delete`: whether children go along.")
    children: dict[str, int] = Field(
        default_factory=dict,
        description="Of the preview of `delete`, by state: children, and theirs, that are not among the jobs and would "
        "go with them.",
    )
    children_done: int = Field(default=0, description="Children that were deleted with jobs; not among `done`.")
    total: int = Field(description="Jobs that the selection named. Always done + skipped + failed + left.")
    allowed: int = Field(description="Of the preview: jobs that allow the operation.")
    refused: list[BulkGroup] = Field(default_factory=list, description="Of the preview: why the others do not.")
    done: int = 0
    skipped: int = Field(default=0, description="Jobs that did not allow it when it was their turn.")
    failed: int = 0
    left: int = Field(default=0, description="Jobs that were not touched yet; once it has ended, jobs not touched.")
    account: list[BulkAccount] = Field(default_factory=list, description="Why jobs were skipped or failed.")


class BulkPlan(Bulk):
    """The answer to a preview."""

    token: str = Field(description="Needed to run it; shown only here.", repr=False)


class BulkItem(Response):
    """A job of the selection and what became of it."""

    job: int
    outcome: BulkOutcome = Field(description="`waiting` for its turn, or `untouched` when that does not come any more.")
    reason: str | None = None
    text: str | None = None
