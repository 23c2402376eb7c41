"""The ways in which one run of a task comes to its end, as values."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.core.outcome import Outcome


@dataclass(frozen=True, slots=True)
class TaskAnswered:
    """The task said how it ended."""

    outcome: Outcome
    clean: bool
    """Its process can take another one."""


@dataclass(frozen=True, slots=True)
class Died:
    """The process ended, or became of no use, without a word about the task."""

    why: str | None = None


@dataclass(frozen=True, slots=True)
class KillAsked:
    """Somebody wants it dead."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """It ran longer than its step allows."""


End = TaskAnswered | Died | KillAsked | TimedOut
