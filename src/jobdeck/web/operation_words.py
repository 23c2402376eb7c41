"""The words of operations on many jobs, for dialogs, their list and the menu in the head."""

from __future__ import annotations

from dataclasses import dataclass

from jobdeck.core.life.bulk import BulkOperation


@dataclass(frozen=True, slots=True)
class Words:
    """How an operation reads: on the button, of what will be done, and what it means."""

    verb: str
    done: str
    meaning: str
    is_danger: bool = False


WORDS = {
    BulkOperation.CANCEL: Words(
        "Cancel", "canceled", "They end for good, and what they half made is removed. This cannot be undone.", True
    ),
    BulkOperation.PAUSE: Words("Pause", "paused", "They stop at their next checkpoint and keep what is done."),
    BulkOperation.RESUME: Words("Resume", "resumed", "They go on from the first task that has not succeeded."),
    BulkOperation.RESTART: Words(
        "Restart", "restarted", "They begin again from the first step; intermediate results are thrown away.", True
    ),
    BulkOperation.DELETE: Words(
        "Delete", "deleted", "They and all that was recorded about them are removed. This cannot be undone.", True
    ),
    BulkOperation.PRIORITY: Words("Set priority of", "given the new priority", "Higher ones go first while they wait."),
}
