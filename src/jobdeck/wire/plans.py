"""Dry runs: what a job would be and do, and the difference between the parameters of two jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from jobdeck.core.outline import StepOutline
from jobdeck.core.preview import Preview
from jobdeck.wire.base import Instant, Response
from jobdeck.wire.jobs import ErrorView, WaitReason


class ClaimView(Response):
    """A resource that the job would hold, as it is now."""

    resource: str
    units: int = 1
    mode: Literal["shared", "exclusive"] = "shared"
    own: bool = Field(default=True, description="Of the job's project; else all projects share it.")
    free: bool = Field(default=True, description="Whether it could be held now.")
    capacity: int | None = Field(default=None, description="None: no limit is set, or all projects share it.")
    used: int = Field(default=0, description="Units held now; of what all projects share, by those you may see.")
    holders: list[int] = Field(default_factory=list, description="Ids of the jobs that hold it, if they may be seen.")


class JobClaim(ClaimView):
    """A resource that a job claims: whether it holds it, could, and which other jobs hold it."""

    held: bool = Field(default=False, description="By this job.")

    @property
    def is_limited(self) -> bool:
        """Whether it can keep a job from starting at all."""
        return self.mode == "exclusive" or self.capacity is not None or not (self.held or self.free)


class Change(Response):
    """A place in which two sets of parameters differ."""

    path: str = Field(description="`files[0]`, `csv.delimiter`; empty: all of it.")
    kind: Literal["added", "removed", "changed"]
    old: Any = None
    new: Any = None


class JobPlan(Response):
    """The answer to a dry run. Nothing was stored."""

    ok: bool = Field(description="Nothing was found because of which the job would fail.")
    project: str
    type: str
    category: str = ""
    description: str = ""
    subject: str | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="As the job would have them, secrets masked.")
    priority: int
    tags: list[str] = Field(default_factory=list)
    parent: int | None = None
    configuration: int | None = None
    not_before: Instant | None = None
    duplicate_of: int | None = Field(
        default=None, description="The unfinished job that would be answered with instead, with `deduplicate`."
    )
    claims: list[ClaimView] = Field(default_factory=list)
    wait: list[WaitReason] = Field(default_factory=list, description="What would keep it from starting just now.")
    steps: list[StepOutline] = Field(default_factory=list, description="Empty where the type could not tell.")
    can_preview: bool = Field(default=False, description="Whether the type can tell more, in `preview`.")
    preview: Preview | None = None
    error: ErrorView | None = Field(default=None, description="Why the type could not tell.")
    changes: list[Change] = Field(default_factory=list, description="Of run again: how the parameters differ.")


class JobDiff(Response):
    """How the parameters of `job` differ from those of `other`, the older of the two."""

    job: int
    other: int
    same: bool = Field(description="Whether the parameters are equal, secrets included.")
    changes: list[Change] = Field(default_factory=list, description="At most a thousand; secrets are masked.")
