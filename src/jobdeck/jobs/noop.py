"""The job that does nothing: for trying out queues, limits, schedules and clients."""

from __future__ import annotations

from typing import ClassVar

from jobdeck.core.jobtype import Isolation, JobType


class Noop(JobType):
    """Do nothing, and succeed."""

    name = "noop"
    category = "test"
    isolation: ClassVar[Isolation] = "thread"
    may_be_empty = True
