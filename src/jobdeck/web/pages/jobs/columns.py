"""The columns of the list of jobs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of the list.

    `sort` is what it is sorted by, `extra` whether it is shown only when asked for. Where there is no room for all of
    them, those with the smallest `yields` give way first; those without one stay at every width."""

    key: str
    label: str
    sort: str | None = None
    extra: bool = False
    yields: int | None = None


COLUMNS = (
    ListColumn("state", "State", "state"),
    ListColumn("id", "ID", yields=6),
    ListColumn("job", "Job", "type"),
    ListColumn("subject", "Subject", yields=5),
    ListColumn("project", "Project", yields=4),
    ListColumn("progress", "Progress"),
    ListColumn("by", "Created by", yields=2),
    ListColumn("queued", "Queued", "created_at", yields=8),
    ListColumn("started", "Started", "started_at", yields=1),
    ListColumn("ended", "Ended", "ended_at", yields=3),
    ListColumn("duration", "Duration", "duration", yields=7),
    ListColumn("waited", "Waited", extra=True, yields=10),
    ListColumn("priority", "Priority", "priority", extra=True, yields=12),
    ListColumn("attempt", "Attempt", extra=True, yields=9),
    ListColumn("tags", "Tags", extra=True, yields=14),
    ListColumn("worker", "Worker", extra=True, yields=13),
    ListColumn("credits", "Credits", extra=True, yields=11),
)
COLUMN_NAMES = frozenset(column.key for column in COLUMNS)
