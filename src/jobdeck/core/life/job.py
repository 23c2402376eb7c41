"""A job as the rules see it: the fields that its transitions read and write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from jobdeck.core.errors import ErrorInfo
from jobdeck.core.life.operations import Intent, Subject
from jobdeck.core.life.states import State


class ChildPolicy(StrEnum):
    """What a child that ended `failed` or `canceled` does to its parent."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


class Job(NamedTuple):
    """The life of a job up to now. Times are µs since 1970 UTC, durations µs.

    A tuple, because thousands a second are made and changed: that takes a quarter of the time of a dataclass."""

    id: int
    project_id: int
    type: str
    parent_id: int | None
    priority: int
    state: State
    attempt: int
    """Counts restarts, from 1."""
    epoch: int
    """Counts assignments to a worker; the fence that every write of a running attempt names."""
    leased: bool
    state_since: int
    queued_at: int
    order_key: int
    """Its place in the queue (core/life/waiting.py)."""
    has_children: bool = False
    on_child_failure: ChildPolicy = ChildPolicy.FAIL
    intent: Intent | None = None
    last_operation: str | None = None
    not_before: int | None = None
    resume_at: int | None = None
    waits_for_children: bool = False
    dirty_since: int = 0
    """The first attempt that may have left half made things about; 0 for none."""
    losses: int = 0
    """Workers lost in a row without progress."""
    started_at: int | None = None
    ended_at: int | None = None
    queued_us: int = 0
    running_us: int = 0
    paused_us: int = 0
    fraction: float = 0.0
    warnings: int = 0
    error: ErrorInfo | None = None
    cause: str | None = None
    """Who or what ended, paused or canceled it: `user`, `parent`, `timeout`, …"""
    reason: str | None = None
    """What the person who paused or canceled it wrote."""
    result: str | None = None
    """JSON text."""
    worker: str | None = None
    code: str | None = None
    """The fingerprint of the code that its attempt began with; a resume by a person lets it take another."""
    retry: str | None = None
    """Between two tries, as JSON: what failed, and which try of how many comes."""

    def subject(self, unfinished_children: int = 0) -> Subject:
        """The facts that an operation depends on."""
        return Subject(self.id, self.state, self.leased, self.dirty_since > 0, unfinished_children, self.last_operation)


@dataclass(frozen=True, slots=True)
class Children:
    """How a parent's children stand."""

    unfinished: int = 0
    failed: tuple[int, ...] = ()
    """Children that ended `failed` or `canceled`."""


NO_CHILDREN = Children()
