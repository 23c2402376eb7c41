"""The states of jobs, steps and tasks (see ARCHITECTURE.md for the drawing)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a job is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELING = "canceling"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


FINAL = frozenset({State.SUCCEEDED, State.CANCELED})
"""States that never change again, not even to the other final state; the database refuses it too."""

ENDED = FINAL | {State.FAILED}
"""States in which nothing more happens by itself; a parent may end once all its children are here."""

ALIVE = frozenset({State.RUNNING, State.PAUSING, State.CANCELING})
"""States in which work may be alive on a worker, so that slots are held."""


class StepState(StrEnum):
    """Where a step or a task is; `skipped` and `canceled` are ends without a result."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


STEP_ENDED = frozenset({StepState.SUCCEEDED, StepState.SKIPPED, StepState.CANCELED})
