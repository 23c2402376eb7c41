"""What happened, as told live and kept in a job's history."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from jobdeck.wire.base import Instant, Response


class Event(Response):
    """One thing that happened. Ids grow; a stream resumes after the last id that was seen."""

    id: int
    at: Instant
    kind: str = Field(description="`job.created`, `job.state`, `job.progress`, …")
    project: str | None = None
    job: int | None = None
    actor: str | None = None
    principal: int | None = Field(default=None, description="The id of the principal who did it; none: the system.")
    token: int | None = Field(default=None, description="The id of the token by which it was done.")
    data: dict[str, Any] = Field(
        default_factory=dict, description="`state` after the event, and what else the kind has to tell."
    )
