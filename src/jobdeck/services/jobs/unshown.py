"""What stands in a list for what cannot be shown: no stored row may make a list fail."""

from __future__ import annotations

import json
from typing import Any

from jobdeck.core.life.states import State
from jobdeck.core.values import MAX_DEPTH, is_too_deep
from jobdeck.store.views import JobRow
from jobdeck.wire.base import instant
from jobdeck.wire.jobs import Job

_AROUND = 1
"""Levels of a job's result around those of its tasks."""


def stored_value(text: str) -> Any:
    """The value of stored JSON; a text that says why, where it cannot be read by everyone who would get it."""
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return "(This cannot be read.)"
    too_deep = is_too_deep(value, MAX_DEPTH + _AROUND)
    return f"(This is nested more than {MAX_DEPTH} levels deep.)" if too_deep else value


def unshown(row: JobRow, error: Exception) -> Job:
    """A job whose row has something that nobody foresaw; its id and state can be shown and it can be operated on."""
    return Job(
        id=row["id"],
        run_id=row["run_id"],
        project=row["project"],
        type=row["type"],
        state=State(row["state"]),
        description=f"This job cannot be shown: {type(error).__name__}. The server's log has more.",
        created_at=instant(row["created_at"]),
    )
