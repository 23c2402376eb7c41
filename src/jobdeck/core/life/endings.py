"""How the run of a job on a worker ended, as values. What follows from each is decided in transitions.settle."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.core.errors import ErrorInfo


@dataclass(frozen=True, slots=True)
class Finished:
    """All its steps have succeeded; `result` is JSON text."""

    result: str | None = None


@dataclass(frozen=True, slots=True)
class Broke:
    """A step failed and is not tried again."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Retry:
    """Which task failed, and which try of how many comes next, counted from 1."""

    step: str
    task: int
    key: str
    number: int
    of: int


@dataclass(frozen=True, slots=True)
class RetryLater:
    """A step failed and is to be tried again at `at` (µs)."""

    error: ErrorInfo
    at: int
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Halted:
    """Its work was stopped as asked and is dead; `undone` says that leftovers were removed where that was due."""

    undone: bool = False
    trouble: str | None = None
    """Why leftovers could not be removed, for people."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Its worker is leaving; the job goes on elsewhere from its checkpoints."""


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """Its lease expired: the worker is dead, cut off or stopped, and nothing it writes can land any more."""

    last_begun: bool = True
    """Whether no other job had begun later there: another one may be to blame else."""


Ending = Finished | Broke | RetryLater | Halted | HandedBack | WorkerLost
