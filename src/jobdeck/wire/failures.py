"""Failures grouped by their fingerprint."""

from __future__ import annotations

from pydantic import Field

from jobdeck.wire.base import Instant, Page, Response


class TypeCount(Response):
    """Failures of one job type."""

    type: str
    count: int


class ProjectCount(Response):
    """Failures in one project."""

    project: str
    count: int


class Trend(Response):
    """Failures over time, in parts of equal length."""

    since: Instant = Field(description="When the first part begins.")
    bucket_seconds: int
    counts: list[int] = Field(default_factory=list, description="Oldest first; the last part may not be over.")


class FailureGroup(Response):
    """Failures of one kind. A job that failed, was resumed and failed again counts twice."""

    fingerprint: str
    code: str = ""
    message: str = Field(default="", description="Of the latest one.")
    hint: str | None = None
    place: str = Field(default="", description="Job type and step.")
    count: int = Field(description="Failures in the range, whatever became of the jobs since.")
    jobs_failed_now: int = Field(description="Jobs that are failed at this moment, by a failure in the range.")
    first_seen: Instant
    last_seen: Instant
    types: list[TypeCount] = Field(default_factory=list, description="The largest first.")
    projects: list[ProjectCount] = Field(default_factory=list, description="The largest first.")
    trend: Trend
    latest: list[int] = Field(default_factory=list, description="Ids of the jobs that failed last, the latest first.")


class FailurePage(Page[FailureGroup]):
    """A part of the list of groups; the counts are of all that match."""

    groups: int = Field(default=0, description="How many groups match.")
    failures: int = Field(default=0, description="How many failures match.")
